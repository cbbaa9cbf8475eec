// @ts-check
// The switches of the header: theme and time zone.
import { fill, h } from './h.js';
import { icon } from './icons.js';
import { setTheme, theme } from './theme.js';
import { setZone, zone, zoneLabel } from './time.js';

/** @typedef {import('./theme.js').Theme} Theme */

/** @type {Record<Theme, {next: Theme, icon: string, says: string}>} */
const THEMES = {
  auto: { next: 'light', icon: 'auto', says: 'as the system' },
  light: { next: 'dark', icon: 'sun', says: 'light' },
  dark: { next: 'auto', icon: 'moon', says: 'dark' },
};

/** One button that goes round: as the system, light, dark. */
export function themeSwitch() {
  const button = h('button', {
    type: 'button',
    class: 'icon-button',
    on: {
      click: () => {
        setTheme(THEMES[theme()].next);
        draw();
      },
    },
  });
  const draw = () => {
    const now = THEMES[theme()];
    button.setAttribute('aria-label', `Theme: ${now.says}`);
    button.title = `Theme: ${now.says}. Next: ${THEMES[now.next].says}`;
    fill(button, icon(now.icon));
  };
  draw();
  return button;
}

/** Local time or UTC. */
export function zoneSwitch() {
  const button = h('button', {
    type: 'button',
    class: 'text-button zone-switch',
    on: {
      click: () => {
        setZone(zone() === 'utc' ? 'local' : 'utc');
        draw();
      },
    },
  });
  const draw = () => {
    const utc = zone() === 'utc';
    button.setAttribute('aria-label', `Time zone: ${utc ? 'UTC' : `local, ${zoneLabel()}`}`);
    button.title = utc
      ? 'Times are shown in UTC. Switch to local time'
      : `Times are shown in local time (${zoneLabel()}). Switch to UTC`;
    fill(button, icon('clock'), h('span', null, utc ? 'UTC' : 'Local'));
  };
  draw();
  return button;
}
