// @ts-check
// The administration: a section for each thing that a key with the right can do to the store. What the key may not do has no
// section. Which one is shown stands in the address, and so do its filters.
import { go, hashOf } from '../core/address.js';
import { fill, h } from '../core/h.js';
import { clearFailure } from '../core/notices.js';
import { toast } from '../core/toast.js';
import { closePopover } from '../parts/popover.js';
import { openSections } from './admin/sections.js';

/** @typedef {import('../core/views.js').View} View */
/** @typedef {import('./admin/sections.js').Section} Section */

/** @returns {View} */
export function mount() {
  const view = new Admin();
  return { element: view.element, show: (params) => view.show(params), leave: () => view.leave() };
}

class Admin {
  constructor() {
    this.nav = h('nav', { class: 'admin-nav', 'aria-label': 'Administration' });
    this.place = h('div', { class: 'admin-place' });
    this.element = h(
      'div',
      { class: 'admin' },
      h('h1', { class: 'visually-hidden' }, 'Administration'),
      this.nav,
      this.place,
    );
    /** @type {{section: Section, view: View} | null} */
    this.current = null;
    /** Counts the sections asked for: of two that load at once the later one is shown. */
    this.asked = 0;
  }

  /** @param {URLSearchParams} params */
  show(params) {
    const open = openSections();
    const section = open.find(({ name }) => name === params.get('section')) ?? open[0];
    if (!section) return;
    if (this.current?.section.name !== section.name || !this.nav.firstChild) this.drawNav(open, section);
    if (this.current?.section.name === section.name) this.current.view.show(params);
    else void this.open(section, params);
  }

  /** @param {Section[]} open @param {Section} current */
  drawNav(open, current) {
    fill(
      this.nav,
      open.map((section) =>
        h(
          'a',
          {
            class: 'admin-link',
            href: hashOf('admin', new URLSearchParams({ section: section.name })),
            'aria-current': section === current || section.name === current.name ? 'page' : null,
          },
          section.title,
        ),
      ),
    );
    this.nav.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }

  /** @param {Section} section @param {URLSearchParams} params */
  async open(section, params) {
    this.asked += 1;
    const mine = this.asked;
    try {
      const { mount: mountSection } = await section.load();
      if (mine !== this.asked) return;
      const focus = this.place.contains(document.activeElement) || this.nav.contains(document.activeElement);
      this.close();
      const view = mountSection({ go: (next, how) => goTo(section.name, next, how) });
      this.current = { section, view };
      fill(this.place, view.element);
      view.show(params);
      if (focus) /** @type {HTMLElement | null} */ (this.nav.querySelector('[aria-current]'))?.focus();
    } catch (error) {
      console.error(error);
      if (mine === this.asked) toast(`${section.title} could not be loaded. Reload the page.`, 'error');
    }
  }

  close() {
    closePopover();
    this.current?.view.leave();
    this.current = null;
    clearFailure();
  }

  leave() {
    this.asked += 1;
    this.close();
  }
}

/** @param {string} section @param {URLSearchParams} params @param {{replace?: boolean}} [how] */
function goTo(section, params, how) {
  params.set('section', section);
  go('admin', params, how);
}
