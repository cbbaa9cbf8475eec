// The page's files by their types, as `tsc --checkJs` has them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

test('the types of the page agree', () => {
  const compiler = join(here, 'node_modules/typescript/bin/tsc');
  const folder = process.env.UI_FILES ?? join(here, '../../crates/annals-server/ui');
  try {
    execFileSync(process.execPath, [compiler, '--project', join(folder, 'jsconfig.json')], { encoding: 'utf8' });
  } catch (error) {
    assert.fail(error.stdout ?? String(error));
  }
});
