"""An explorer as plain HTML: native inputs, every frame inside, no request to any host."""

from __future__ import annotations

import html
import io
import json
from base64 import b64encode
from string import Template

from PIL import Image

from .labels import label

BUDGET = 1_500_000  # bytes of HTML that one figure may take
PAGE_ITSELF = 60_000  # of these, for everything but the frames: the first frame comes twice
# How a frame becomes WebP, best first: the first that fits the budget is taken. Few colours suit
# drawings, lossy compression suits photographs.
ENCODINGS = (
    {"lossless": True, "method": 1},
    {"quality": 80},
    {"lossless": True, "method": 1, "colours": 32},
    {"quality": 60},
    {"quality": 40},
)

PAGE = Template("""<figure class="qc-explorer" role="group" aria-label="$title">
<style>
.qc-explorer{margin:1em 0;max-width:${width}px;font-family:system-ui,sans-serif}
.qc-explorer .qc-controls{display:flex;flex-wrap:wrap;gap:.3em 1.4em;align-items:center}
.qc-explorer label{display:inline-flex;gap:.5em;align-items:center;min-height:2.2em}
.qc-explorer input[type=range]{width:11em;min-width:0}
.qc-explorer output{min-width:3ch;font-variant-numeric:tabular-nums}
.qc-explorer img{display:block;width:100%;height:auto;aspect-ratio:$width/$height;
background:#fff;border-radius:6px}
.qc-explorer figcaption{font-family:ui-monospace,monospace;font-size:.8em;min-height:1.6em;
white-space:pre-wrap}
.qc-explorer audio{width:100%;max-width:24em}
</style>
<div class="qc-controls">$inputs</div>
<img alt="$alt" src="$src" width="$width" height="$height">
<figcaption aria-live="polite">$line</figcaption>$audio
<script type="application/json">$frames</script>
<script>$script</script>
</figure>""")

SCRIPT = """(function () {
  const figure = document.currentScript.parentElement;
  const frames = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const inputs = [...figure.querySelectorAll('input,select')];
  const image = figure.querySelector('img'), line = figure.querySelector('figcaption');
  const audio = figure.querySelector('audio');
  const part = i => ({checkbox: 'checked', range: 'value'})[i.type] || 'selectedIndex';
  const index = i => +i[part(i)];
  const first = inputs.map(i => i[part(i)]);
  function show() {
    let at = 0;
    for (const i of inputs) {
      at = at * +i.dataset.count + index(i);
      if (i.type === 'range') {
        const text = JSON.parse(i.dataset.values)[+i.value];
        i.nextElementSibling.value = text;
        i.setAttribute('aria-valuetext', text);
      }
    }
    const frame = frames[at];
    image.src = frame.src; image.alt = frame.alt; line.textContent = frame.line;
    if (audio) audio.src = frame.sound;
  }
  for (const i of inputs) i.addEventListener('input', show);
  // A reloaded page keeps the inputs' values, and paper has no sliders: show what they say.
  window.addEventListener('pageshow', show);
  window.addEventListener('beforeprint', function () {
    inputs.forEach(function (i, k) { i[part(i)] = first[k]; });
    show();
  });
})();"""


def static_html(explorer) -> str:
    """The explorer's figure with all its frames. Raises ValueError where it exceeds BUDGET."""
    width, height = explorer.size
    states = explorer.states()
    fitting = (_frames(explorer, states, encoding) for encoding in ENCODINGS)
    listed = next((frames for frames in fitting if frames is not None), None)
    if listed is None:
        raise ValueError(f"{explorer.name}: its frames do not fit in {BUDGET} bytes; use fewer")
    start = states.index(explorer.start)
    sound = listed[start].get("sound")
    return PAGE.substitute(
        title=html.escape(explorer.name),
        width=width,
        height=height,
        inputs="".join(_input(c) for c in explorer.controls),
        src=listed[start]["src"],
        alt=html.escape(listed[start]["alt"]),
        line=html.escape(listed[start]["line"]),
        audio=f'\n<audio controls src="{sound}"></audio>' if sound else "",
        frames=json.dumps(listed, ensure_ascii=False).replace("</", "<\\/"),
        script=SCRIPT,
    )


def _frames(explorer, states: list[tuple], encoding: dict) -> list[dict] | None:
    """What the page needs of each state, or None as soon as it exceeds the budget."""
    listed, room = [], BUDGET - PAGE_ITSELF
    for state in states:
        frame = explorer.frame(*state)
        entry = {"src": _webp(frame.picture, **encoding), "line": frame.line}
        entry["alt"] = explorer.alt(state, frame.line)
        if frame.sound:
            entry["sound"] = f"data:audio/wav;base64,{b64encode(frame.sound).decode()}"
        listed.append(entry)
        room -= sum(len(text.encode()) for text in entry.values())
        if room < 0:
            return None
    return listed


def _input(control) -> str:
    name, count = html.escape(label(control.name)), len(control.values)
    start = control.values.index(control.start)
    if control.kind == "checkbox":
        checked = " checked" if control.start else ""
        return f'<label><input type="checkbox" data-count="2"{checked}>{name}</label>'
    if control.kind == "select":
        options = "".join(
            f"<option{' selected' if i == start else ''}>{html.escape(v)}</option>"
            for i, v in enumerate(control.values)
        )
        return f'<label>{name}<select data-count="{count}">{options}</select></label>'
    values = html.escape(json.dumps([str(v) for v in control.values]))
    return (
        f'<label>{name}<input type="range" min="0" max="{count - 1}" step="1" value="{start}" '
        f'data-count="{count}" data-values="{values}" aria-valuetext="{control.start}">'
        f"<output>{control.start}</output></label>"
    )


def _webp(picture, colours: int | None = None, **options) -> str:
    if colours is not None:
        octree = Image.Quantize.FASTOCTREE
        picture = picture.quantize(colours, octree, dither=0).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "webp", **options)
    return f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"
