"""An explorer as plain HTML: native inputs, every frame inside, no request to any host."""

from __future__ import annotations

import html
import io
import json
from base64 import b64encode
from string import Template

import numpy as np
from PIL import Image

from ..page import embedded
from ..sheet import Sheet
from ..words import chosen, kept, label, option

EDGE = 0.005  # left free at each side of a panel that stands alone, as a part of the width
BUDGET = 1_500_000  # bytes of HTML that one figure may take
PAGE_ITSELF = 60_000  # of these, for everything but the frames: the first frame comes twice
# How a frame becomes WebP, best first: the first that fits the budget is taken. Few colours suit
# drawings, lossy compression suits photographs.
LOSSLESS = {"lossless": True, "method": 1}
ENCODINGS = (
    LOSSLESS,
    {"quality": 80},
    {"lossless": True, "method": 1, "colours": 32},
    {"quality": 60},
    {"quality": 40},
)

PAGE = Template("""<figure class="qc-explorer" style="--width:${width}px">
<style>
.qc-explorer{margin:1em 0;max-width:var(--width);font-family:system-ui,sans-serif;
container-type:inline-size}
.qc-explorer .qc-controls{display:flex;flex-wrap:wrap;gap:.3em 1.4em;align-items:center}
.qc-explorer label{display:inline-flex;gap:.5em;align-items:center;min-height:2.2em}
.qc-explorer input[type=range]{width:11em;min-width:0}
.qc-explorer output{min-width:3ch;font-variant-numeric:tabular-nums}
.qc-explorer img{display:block;width:100%;height:auto;background:#fff;border-radius:6px}
.qc-explorer .qc-panels>div{display:none;overflow:hidden;border-radius:6px}
@container (max-width:560px){
.qc-explorer .qc-panels:has(>div)>img{display:none}
.qc-explorer .qc-panels>div{display:block}
.qc-explorer .qc-panels>div+div{margin-top:.4em}
.qc-explorer .qc-panels>div>img{width:calc(100%/var(--part));max-width:none;border-radius:0;
margin-left:calc(-100%*var(--left)/var(--part))}
}
.qc-explorer figcaption{font-family:ui-monospace,monospace;font-size:.8em;min-height:1.6em;
white-space:pre-wrap}
.qc-explorer .qc-sound{display:flex;max-width:34em}
.qc-explorer audio{flex:1;min-width:0}
.qc-explorer button{font:inherit;min-height:2.2em;padding:.1em .8em;color:inherit;background:none;
border:1px solid;border-radius:6px;cursor:pointer}
.qc-explorer .qc-a p{margin:0;font-family:ui-monospace,monospace;font-size:.8em;
white-space:pre-wrap}
.qc-explorer .qc-a:has(img){margin-bottom:.6em}
.qc-explorer .qc-a:has(img)~figcaption::before{content:"B";font-weight:700;margin-inline-end:2ch}
@media print{.qc-explorer :is(button,.qc-a){display:none}}
</style>
<div class="qc-controls">$inputs$buttons</div>$kept
<div class="qc-panels" data-columns="$columns">
<img alt="$alt" src="$src" width="$width" height="$height"></div>
<figcaption aria-live="polite">$line</figcaption>$audio
<script type="application/json">$frames</script>
<script>$script</script>
</figure>""")

# Where a picture that is kept stands; its words are heard when they come.
KEPT = '\n<div class="qc-a" data-kept="{}"><p aria-live="polite"></p></div>'
SCRIPT = """(function () {
  const figure = document.currentScript.parentElement;
  const frames = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const inputs = [...figure.querySelectorAll('input,select')];
  const panels = figure.querySelector('.qc-panels'), image = panels.querySelector('img');
  const line = figure.querySelector('figcaption');
  const audio = figure.querySelector('audio');
  const part = i => ({checkbox: 'checked', range: 'value'})[i.type] || 'selectedIndex';
  const index = i => +i[part(i)];
  const first = inputs.map(i => i[part(i)]);
  // Where there is little room each panel has a row: the picture is there once for each, and cut.
  for (const [left, right] of JSON.parse(panels.dataset.columns)) {
    const panel = document.createElement('div');
    panel.style.setProperty('--left', left);
    panel.style.setProperty('--part', right - left);
    panel.append(image.cloneNode());
    panels.append(panel);
  }
  function picture(panels, src, alt) {
    panels.querySelectorAll('img').forEach(function (img, i) {
      img.src = src;
      img.alt = i < 2 ? alt : ''; // of the whole, and of the first part
    });
  }
  const chosen = () => frames[inputs.reduce((at, i) => at * +i.dataset.count + index(i), 0)];
  function show() {
    for (const i of inputs) {
      if (i.type === 'range') {
        const text = JSON.parse(i.dataset.values)[+i.value];
        i.nextElementSibling.value = text;
        i.setAttribute('aria-valuetext', text);
      }
    }
    const frame = chosen();
    picture(panels, frame.src, frame.alt);
    line.textContent = frame.line;
    if (audio && audio.getAttribute('src') !== frame.sound) {
      // The new sound goes on where the old one was.
      const time = audio.currentTime, plays = !audio.paused && !audio.ended;
      audio.src = frame.sound;
      audio.addEventListener('loadedmetadata', function () {
        audio.currentTime = time;
        if (plays) audio.play();
      }, {once: true});
    }
  }
  for (const i of inputs) i.addEventListener('input', show);
  const a = figure.querySelector('.qc-a'), [keep, drop] = figure.querySelectorAll('button');
  function empty() {
    a.querySelector('p').textContent = '';
    a.querySelectorAll('.qc-panels,audio').forEach(part => part.remove());
  }
  if (a) {
    keep.addEventListener('click', function () {
      const frame = chosen(), copy = panels.cloneNode(true), letter = document.createElement('b');
      empty();
      letter.textContent = 'A';
      a.querySelector('p').append(letter, '  ' + frame.chosen + '   ' + frame.line);
      picture(copy, frame.src, a.dataset.kept + frame.alt);
      a.append(copy);
      if (audio) {
        const sound = audio.cloneNode();
        sound.src = frame.sound; sound.setAttribute('aria-label', 'A');
        a.append(sound);
      }
      drop.hidden = false;
    });
    drop.addEventListener('click', function () { empty(); drop.hidden = true; keep.focus(); });
  }
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
    entries, pictures, ends = _draw(explorer, states)
    room = BUDGET - PAGE_ITSELF - sum(len(t.encode()) for e in entries for t in e.values())
    if explorer.original:
        room -= len(_url("audio/wav", explorer.original))
    for entry, source in zip(entries, _fitting(pictures, room, explorer.name), strict=True):
        entry["src"] = source
    first = entries[states.index(explorer.start)]
    players = [(label("quantized"), first["sound"])] if "sound" in first else []
    if explorer.original:
        players.append((label("original"), _url("audio/wav", explorer.original)))
    return PAGE.substitute(
        width=width,
        height=height,
        inputs="".join(_input(c) for c in explorer.controls),
        buttons=_buttons() if explorer.compare else "",
        kept=KEPT.format(html.escape(kept(""))) if explorer.compare else "",
        columns=json.dumps(_columns(explorer.sheet, ends)),
        src=first["src"],
        alt=html.escape(first["alt"]),
        line=html.escape(first["line"]),
        audio="".join(
            f'\n<label class="qc-sound">{html.escape(name)}<audio controls src="{url}" '
            f'aria-label="{html.escape(name)}"></audio></label>'
            for name, url in players
        ),
        frames=embedded(entries),
        script=SCRIPT,
    )


def _columns(sheet: Sheet, ends: list[list[tuple[float, float]]]) -> list[list[float]]:
    """Where each panel stands in every frame, left and right, as parts of the picture's width.

    ends: of each frame, of each panel, in pixels. [] for one panel, and for panels in rows.
    """
    if len(sheet.axes) == 1 or len({ax.get_position().y0 for ax in sheet.axes}) > 1:
        return []
    lefts, rights = np.array(ends).transpose(2, 1, 0)
    columns = np.stack([lefts.min(1), rights.max(1)], 1) / sheet.figure.bbox.width
    return (columns + (-EDGE, EDGE)).clip(0, 1).round(4).tolist()


def _draw(explorer, states: list[tuple]) -> tuple[list[dict[str, str]], list[bytes], list]:
    """Each state's words and sound, its picture without loss, and where its panels end.

    Compressed, because the pixels of all frames together would take 200 MB.
    """
    entries, pictures, ends = [], [], []
    for state in states:
        frame = explorer.frame(*state)
        pictures.append(_webp(frame.picture, **LOSSLESS))
        # All that is written around a panel belongs to it.
        boxes = [ax.get_tightbbox() for ax in explorer.sheet.axes]
        ends.append([(box.x0, box.x1) for box in boxes])
        entry = {"line": frame.line, "alt": explorer.alt(state, frame.line)}
        if explorer.compare:
            entry["chosen"] = chosen(explorer.named(state))
        if frame.sound:
            entry["sound"] = _url("audio/wav", frame.sound)
        entries.append(entry)
    return entries, pictures, ends


def _fitting(pictures: list[bytes], room: int, name: str) -> list[str]:
    """The addresses of the pictures in the best of ENCODINGS with which they fit."""
    for encoding in ENCODINGS:
        sources, left = [], room
        for picture in pictures:
            if encoding is not LOSSLESS:
                picture = _webp(Image.open(io.BytesIO(picture)), **encoding)
            sources.append(_url("image/webp", picture))
            left -= len(sources[-1])
            if left < 0:
                break
        else:
            return sources
    raise ValueError(f"{name}: its frames do not fit in {BUDGET} bytes; use fewer")


def _buttons() -> str:
    keep, drop = (html.escape(label(name)) for name in ("keep", "drop"))
    return f'<button type="button">{keep}</button><button type="button" hidden>{drop}</button>'


def _input(control) -> str:
    name, count = html.escape(label(control.name)), len(control.values)
    start = control.values.index(control.start)
    if control.kind == "checkbox":
        checked = " checked" if control.start else ""
        return f'<label><input type="checkbox" data-count="2"{checked}>{name}</label>'
    if control.kind == "select":
        options = "".join(
            f"<option{' selected' if i == start else ''}>{html.escape(option(v))}</option>"
            for i, v in enumerate(control.values)
        )
        return f'<label>{name}<select data-count="{count}">{options}</select></label>'
    values = html.escape(json.dumps([str(v) for v in control.values]))
    text = html.escape(str(control.start))
    return (
        f'<label>{name}<input type="range" min="0" max="{count - 1}" step="1" value="{start}" '
        f'data-count="{count}" data-values="{values}" aria-valuetext="{text}">'
        f"<output>{text}</output></label>"
    )


def _webp(picture: Image.Image, colours: int | None = None, **options) -> bytes:
    if colours is not None:
        octree = Image.Quantize.FASTOCTREE
        picture = picture.convert("RGB").quantize(colours, octree, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "webp", **options)
    return buffer.getvalue()


def _url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"
