// Sliders of a page of the book, or of a deck: the frames come when the figure is near, or used.
(function () {
  'use strict';
  const waiting = new Map(); // name of the frames → what waits for them
  const used = new WeakSet(); // figures that were changed before their frames were there
  const pressed = new WeakMap(); // figure → its button that was pressed before

  window.courseFrames = function (name, text) {
    for (const place of waiting.get(name) || []) {
      place.textContent = text;
      const figure = place.parentElement;
      const script = figure.querySelector('script[type="text/plain"]');
      // The figure's own script, as it stands in any other page, now that its data is there.
      const own = document.createElement('script');
      own.textContent = script.textContent;
      figure.append(own);
      script.remove();
      const control = figure.querySelector('input, select');
      if (used.has(figure)) control.dispatchEvent(new Event('input', { bubbles: true }));
      pressed.get(figure)?.click();
    }
    waiting.delete(name);
  };

  function fetchFrames(place) {
    const name = place.dataset.frames;
    if (place.dataset.asked) return;
    place.dataset.asked = 'yes';
    if (waiting.has(name)) {
      waiting.get(name).push(place);
    } else {
      waiting.set(name, [place]);
      const file = document.createElement('script');
      file.src = new URL('assets/' + name, new URL(path_to_root, location.href));
      document.head.append(file);
    }
  }

  const places = [...document.querySelectorAll('script[data-frames]')];
  const near = new IntersectionObserver(
    entries => {
      for (const entry of entries) {
        if (entry.isIntersecting) fetchFrames(entry.target.querySelector('script[data-frames]'));
      }
    },
    { rootMargin: '1500px' },
  );
  for (const place of places) {
    const figure = place.parentElement;
    near.observe(figure);
    for (const happening of ['pointerover', 'focusin', 'input']) {
      figure.addEventListener(happening, () => fetchFrames(place), { once: true, passive: true });
    }
    figure.addEventListener('input', () => place.textContent || used.add(figure));
    figure.addEventListener('click', ({ target }) => {
      if (!place.textContent && target.matches('button')) pressed.set(figure, target);
    });
  }
  // From a disk they cost nothing. A page that a reader has reloaded keeps its inputs' values.
  window.addEventListener('load', () => {
    if (location.protocol === 'file:') places.forEach(fetchFrames);
  });
  window.addEventListener('pageshow', () => {
    for (const place of places) {
      const figure = place.parentElement;
      const moved = [...figure.querySelectorAll('input, select')].some(i =>
        i.type === 'checkbox'
          ? i.checked !== i.defaultChecked
          : i.type === 'range'
            ? i.value !== i.defaultValue
            : ![...i.options].every(o => o.selected === o.defaultSelected || !i.querySelector('[selected]')),
      );
      if (moved && !place.textContent) {
        used.add(figure);
        fetchFrames(place);
      }
    }
  });
})();
