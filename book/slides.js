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

  // What a slide gives up, one after another, until all of it has room.
  const SMALLER = ['tight', 'brief', 'bare'];

  const fits = slide =>
    slide.scrollHeight <= slide.clientHeight + 1 &&
    [...slide.querySelectorAll('img[width]')].every(
      // The texts of a figure can be read at its own size, and not below.
      image => image.clientHeight >= image.getAttribute('height') - 1,
    );

  function fit() {
    const slide = Reveal.getCurrentSlide();
    slide.classList.remove(...SMALLER);
    // Its fragments have their room, shown or not.
    slide.classList.toggle('answered', slide.querySelector('.fragment') !== null);
    for (const smaller of SMALLER) if (!fits(slide)) slide.classList.add(smaller);
    answered();
  }

  function answered() {
    const slide = Reveal.getCurrentSlide();
    slide.classList.toggle('answered', slide.querySelector('.fragment.visible') !== null);
  }

  Reveal.on('slidechanged', fit);
  Reveal.on('fragmentshown', answered);
  Reveal.on('fragmenthidden', answered);

  Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    maxScale: 4,
    center: false,
    display: 'flex',
    hash: true,
    navigationMode: 'linear',
    slideNumber: 'c', // with the total it would reach into what a figure says
    transition: 'none',
    keyboardCondition: () => !held(),
    plugins: [RevealNotes],
  }).then(() => document.fonts.ready).then(fit);
})();
