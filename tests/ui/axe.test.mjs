// Accessibility of every view, light and dark, wide and narrow, as axe-core sees it: nothing serious.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { closeBrowser, open } from './support/browser.mjs';
import { notifications } from './support/sample.mjs';
import { ADMIN, shared } from './support/server.mjs';
import { VIEWS } from './support/views.mjs';

const server = shared();
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
before(() => notifications(server));
after(closeBrowser);

for (const theme of ['light', 'dark']) {
  for (const width of [1440, 400]) {
    test(`every view, ${theme}, ${width} px`, async (t) => {
      for (const view of VIEWS) {
        const page = await open(server, { key: view.signedOut ? undefined : ADMIN, at: view.at, theme, width });
        await view.reach(page);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => Reflect.get(window, 'axe').run(document, { resultTypes: ['violations'] }));
        const said = violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join(' | ')}`);
        for (const one of said) t.diagnostic(`${view.name}: ${one}`);
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        assert.deepEqual(serious.map(({ id }) => id), [], `${view.name}, ${theme}, ${width} px: ${said.join('\n')}`);
        await page.done();
      }
    });
  }
}
