// Pictures of every view, light and dark, wide and narrow, into a folder:
//   SCREENSHOTS=/tmp/pictures bash tests/ui/run.sh screenshots.mjs
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { closeBrowser, open } from './support/browser.mjs';
import { notifications } from './support/sample.mjs';
import { ADMIN, shared } from './support/server.mjs';
import { VIEWS } from './support/views.mjs';

const folder = process.env.SCREENSHOTS ?? '';
if (folder === '') throw new Error('SCREENSHOTS names the folder for the pictures');
const only = process.env.VIEWS?.split(',');
const server = shared();
after(closeBrowser);

test('pictures', async (t) => {
  await mkdir(folder, { recursive: true });
  await notifications(server);
  for (const view of VIEWS.filter(({ name }) => !only || only.includes(name))) {
    for (const theme of ['light', 'dark']) {
      for (const [width, height] of [[1440, 900], [400, 800]]) {
        const page = await open(server, { key: view.signedOut ? undefined : ADMIN, at: view.at, theme, width, height });
        await view.reach(page);
        await page.waitForTimeout(400);
        const path = join(folder, `${view.name}-${theme}-${width}.png`);
        await page.screenshot({ path });
        t.diagnostic(path);
        await page.done();
      }
    }
  }
});
