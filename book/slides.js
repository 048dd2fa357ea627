// A deck for the keyboard, the mouse and a clicker: arrows and the space bar turn the slides,
// but on a control they are the control's, until Escape.
(function () {
  'use strict';
  const CONTROL = '.qc-explorer, .qc-prediction, details, audio';
  const held = () => document.activeElement.closest(CONTROL);

  document.addEventListener(
    'keydown',
    event => {
      // What a clicker sends turns the slide, wherever the focus is.
      if (held() && ['Escape', 'PageDown', 'PageUp'].includes(event.key)) {
        const code = document.activeElement.closest('details.code[open]');
        if (code) code.open = false;
        document.activeElement.blur();
        if (event.key === 'Escape') event.stopPropagation();
      }
    },
    true,
  );

  Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    maxScale: 4,
    center: false,
    display: 'flex',
    hash: true,
    navigationMode: 'linear',
    slideNumber: 'c/t',
    transition: 'none',
    keyboardCondition: () => !held(),
    plugins: [RevealNotes],
  });
})();
