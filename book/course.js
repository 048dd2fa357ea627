// What the pages do beyond mdBook: search, the way to the other language; frames.js has the sliders.
// Everything works from a file:// page except the search, which then says so.
(function () {
  'use strict';
  const root = new URL(path_to_root, location.href);
  const say = courseWords; // from quantcore/words, by book/finish.py

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // ---- search ---------------------------------------------------------------------------

  const bar = document.querySelector('#mdbook-menu-bar .right-buttons');
  const input = make('input', {
    type: 'search',
    placeholder: say.search,
    'aria-label': say.search,
    'aria-controls': 'course-results',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  const status = make('p', { role: 'status' });
  const list = make('ol', {});
  const results = make('div', { id: 'course-results', hidden: '' }, status, list);
  const search = make('search', { class: 'course-search' }, input, results);
  let library = null; // a promise of Pagefind
  let asked = 0; // so that a slow answer never replaces a newer one

  function show(text) {
    status.textContent = text;
    list.replaceChildren();
    results.hidden = false;
  }

  // In the index every Chinese character is a word (book/search.py). So a Chinese term is
  // searched as its characters in a row, and what comes back is written together again.
  const han = '[\\u2e80-\\u9fff\\uf900-\\ufaff\\uff00-\\uffef]';
  const gap = new RegExp(`(${han}(?:</?mark>)*)\\s+(?=(?:</?mark>)*${han})`, 'g');
  const punctuation = /\s*([\u3000-\u303f\uff00-\uffef])\s*/g;
  const together = text =>
    text.replace(gap, '$1').replace(punctuation, '$1').replaceAll('</mark><mark>', '');

  function terms(query) {
    const chinese = query.match(new RegExp(`${han}+`, 'g')) || [];
    const others = query.replace(new RegExp(`${han}+|"`, 'g'), ' ').trim();
    const phrases = chinese.map(term => [...term].join(' '));
    return { phrases, others: others ? [others] : [] };
  }

  async function lookUp({ phrases, others }) {
    library ||= import(new URL('pagefind/pagefind.js', root)).then(async pagefind => {
      await pagefind.options({ baseUrl: '/', excerptLength: 30 });
      return pagefind;
    });
    const pagefind = await library;
    const answers = [];
    for (const term of [...phrases.map(phrase => `"${phrase}"`), ...others])
      answers.push((await pagefind.search(term)).results);
    const everywhere = answers[0].filter(one =>
      answers.every(results => results.some(other => other.id === one.id)),
    );
    const sections = await Promise.all(everywhere.slice(0, 60).map(result => result.data()));
    // A section counts by how often it says the term; much more where its title does. One that
    // does not is left out: for a word that it does not know, Pagefind takes another.
    const words = others.flatMap(text => text.toLowerCase().split(/\s+/));
    const stems = words.map(word => word.slice(0, Math.max(3, Math.ceil(word.length * 0.7))));
    const chapters = new Map();
    for (const section of sections) {
      const title = [...section.meta.title].join(' ') + ' ' + section.meta.title;
      const text = `${section.content} ${`${title} `.repeat(10)}`.toLowerCase();
      const counts = [...phrases, ...stems].map(term => text.split(term).length - 1);
      if (!counts.every(Boolean)) continue;
      section.weight = counts.reduce((sum, count) => sum + count);
      const name = section.meta.chapter;
      chapters.set(name, [...(chapters.get(name) || []), section]);
    }
    const weight = list => list.reduce((sum, section) => sum + section.weight, 0);
    const heaviest = (a, b) => b.weight - a.weight;
    return [...chapters.values()]
      .sort((a, b) => weight(b) - weight(a))
      .map(list => list.sort(heaviest));
  }

  const link = (address, title) => make('a', { href: new URL(address, root) }, title);

  function entry(section) {
    const excerpt = make('p', {});
    excerpt.innerHTML = together(section.excerpt); // text with <mark>, made by Pagefind
    return make('li', {}, link(section.meta.address, section.meta.title), excerpt);
  }

  async function find() {
    const turn = ++asked;
    const query = terms(input.value);
    if (!query.phrases.length && !query.others.length) {
      results.hidden = true;
      return;
    }
    if (location.protocol === 'file:') {
      show(say.offline);
      return;
    }
    try {
      const chapters = await lookUp(query);
      if (turn !== asked) return;
      const found = chapters.flat().length;
      show(found > 1 ? say.found.replace('{n}', found) : found ? say['found-one'] : say.none);
      results.dataset.query = input.value;
      for (const sections of chapters) {
        const { address, chapter } = sections[0].meta;
        const first = link(address.replace(/#.*/, ''), chapter);
        list.append(
          make('li', {}, first, make('ul', {}, ...sections.slice(0, 3).map(entry))),
        );
      }
    } catch (error) {
      library = null;
      if (turn === asked) show(say.failed);
    }
  }

  let pause = 0;
  input.addEventListener('input', () => {
    clearTimeout(pause);
    pause = setTimeout(find, 150);
  });
  input.addEventListener('focus', () => {
    if (input.value && !list.children.length) find();
    else if (input.value) results.hidden = false;
  });
  search.addEventListener('keydown', event => {
    event.stopPropagation(); // mdBook turns pages with the arrow keys
    if (event.key === 'Escape') {
      results.hidden = true;
      input.focus();
    }
  });
  document.addEventListener('pointerdown', event => {
    if (!search.contains(event.target)) results.hidden = true;
  });
  document.addEventListener('keydown', event => {
    const typing = event.target.closest('input, select, textarea');
    if (!typing && !event.ctrlKey && !event.metaKey && (event.key === '/' || event.key === 's')) {
      event.preventDefault();
      input.focus();
    }
  });
  bar.prepend(search);

  // mdBook turns pages with the arrow keys; on a control they are the control's.
  for (const figure of document.querySelectorAll('.output')) {
    figure.addEventListener('keydown', event => event.stopPropagation());
  }

  // ---- the other language: editions.js names the editions that were built ------------------

  const here = location.pathname.split('/').pop() || 'index.html';
  const editions = make('script', { src: new URL('editions.js', root) });
  editions.addEventListener('load', () => {
    for (const [folder, about] of Object.entries(window.courseEditions)) {
      if (!['index.html', 'print.html', ...about.pages].includes(here)) continue;
      const url = new URL(`../${folder}/${here}`, root);
      search.after(
        make('a', { class: 'course-language', href: url, lang: about.language }, about.name),
      );
    }
  });
  document.head.append(editions);

  // ---- what is wider than the page scrolls in its own box, by keyboard too ------------------

  const boxes =
    '.table-wrapper, .formula.display, .formula.long, main pre, main pre > code, div.output';
  function reachable() {
    for (const box of document.querySelectorAll(boxes)) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute('role', 'group');
        box.setAttribute('aria-label', say.scroll);
      }
    }
  }
  window.addEventListener('load', reachable);
  window.addEventListener('resize', reachable);
  document.addEventListener('toggle', reachable, true); // a <details> that opens
  document.fonts.ready.then(reachable);

  // Paper opens nothing: print what is folded, and fold it again.
  const opened = [];
  window.addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('main details:not([open])')) {
      opened.push(details);
      details.open = true;
    }
  });
  window.addEventListener('afterprint', () => {
    for (const details of opened.splice(0)) details.open = false;
  });

  // mdBook's sidebar button is a <label>: say that it is a button, and let keys press it.
  const toggle = document.getElementById('mdbook-sidebar-toggle');
  if (toggle) {
    toggle.setAttribute('role', 'button');
    toggle.tabIndex = 0;
    toggle.addEventListener('keydown', event => {
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        toggle.click();
      }
    });
  }
})();
