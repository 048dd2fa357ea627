"""An explorer as plain HTML: native inputs, every frame inside, no request to any host."""

from __future__ import annotations

import html
import io
import json
from base64 import b64encode
from string import Template

from PIL import Image

BUDGET = 1_500_000  # bytes of HTML that one figure may take
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
    width, height = explorer._size()
    states = explorer.states()
    frames = [explorer.frame(*s) for s in states]
    room = BUDGET - 60_000 - sum(len(_wav(f)) for f in frames)
    fitting = (_pictures(frames, encoding, room) for encoding in ENCODINGS)
    pictures = next((p for p in fitting if p is not None), None)
    if pictures is None:
        raise ValueError(f"{explorer.name}: its frames do not fit in {BUDGET} bytes; use fewer")
    listed = [
        {"src": p, "line": f.line, "alt": explorer.alt(*s)}
        | ({"sound": _wav(f)} if f.sound else {})
        for s, f, p in zip(states, frames, pictures, strict=True)
    ]
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


def _pictures(frames: list, encoding: dict, room: int) -> list[str] | None:
    """Each frame's picture as a data URI, or None as soon as they exceed the room."""
    pictures = []
    for frame in frames:
        pictures.append(_webp(frame.picture, **encoding))
        room -= len(pictures[-1])
        if room < 0:
            return None
    return pictures


def _input(control) -> str:
    from .explorer import label

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


def _wav(frame) -> str:
    return f"data:audio/wav;base64,{b64encode(frame.sound).decode()}" if frame.sound else ""
