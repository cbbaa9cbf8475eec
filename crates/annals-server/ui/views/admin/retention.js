// @ts-check
// Retention policies: the list is edited as a whole, tried, and saved; what would delete more than half of the events has to
// be confirmed by its number.
import { call, get, latest } from '../../core/api.js';
import { confirmDialog } from '../../core/dialog.js';
import { fill, h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { clearFailure } from '../../core/notices.js';
import { count, countOf } from '../../core/text.js';
import { ago, formatTime } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { confirmByNumber } from './confirm.js';
import { PolicyRows } from './policy-rows.js';
import { button, failureText, loading, problem, sectionHead } from './shared.js';

/** @typedef {{name: string, realm?: string, event_type?: string, keep_days: number, cutoff?: string | null, would_delete?: number}} Policy */
/** @typedef {{policies: Policy[], waiting: {since: string, would_delete: number, events: number} | null, last_pass: {at: string, deleted: number, confirmed: boolean} | null, failure: {code: string, message: string} | null}} Status */
/** @typedef {{policies: Policy[], would_delete: number, events: number, needs_confirmation: boolean}} Outlook */

/** @returns {import('../../core/views.js').View} */
export function mount() {
  const section = new Retention();
  return { element: section.element, show: () => section.load(), leave: () => section.requests.stop() };
}

class Retention {
  constructor() {
    this.requests = latest();
    /** @type {Status | null} */
    this.status = null;
    this.loaded = false;
    this.problem = problem();
    this.rows = new PolicyRows({ onChange: () => this.edited() });
    this.state = h('div', { class: 'retention-state' });
    this.outlook = h('p', { class: 'retention-outlook', role: 'status' });
    this.save = button('Save policies', '', () => this.onSave(), { kind: 'primary' });
    this.discard = button('Discard changes', '', () => this.reset());
    this.element = h(
      'section',
      { class: 'admin-section', 'aria-label': 'Retention' },
      sectionHead(
        'Retention',
        'Policies say how many days events are kept. An event that several policies match goes by the shortest. What a hold keeps stays.',
      ),
      this.state,
      h(
        'div',
        { class: 'card admin-form' },
        this.rows.element,
        this.problem.element,
        this.outlook,
        h(
          'div',
          { class: 'form-foot' },
          button('Add policy', 'plus', () => this.rows.add()),
          h('span', { class: 'toolbar-gap' }),
          button('Preview', '', () => this.onPreview()),
          this.discard,
          this.save,
        ),
      ),
    );
    this.edited();
  }

  load() {
    if (this.loaded) return;
    void loading(
      async () => {
        this.status = await get('retention', undefined, this.requests.start());
        this.loaded = true;
        clearFailure();
        this.reset();
      },
      () => this.load(),
    );
  }

  /** What the server has. */
  reset() {
    this.rows.show(this.status?.policies ?? []);
    this.edited();
    this.drawState();
  }

  edited() {
    const changed = JSON.stringify(this.rows.read()) !== JSON.stringify((this.status?.policies ?? []).map(bare));
    this.save.disabled = !changed;
    this.discard.disabled = !changed;
    this.problem.clear();
    this.outlook.textContent = changed && this.loaded ? 'Not saved yet.' : '';
  }

  drawState() {
    const status = this.status;
    if (!status) return;
    const { waiting, failure, last_pass: last } = status;
    fill(
      this.state,
      waiting
        ? h(
            'div',
            { class: 'card callout', dataset: { kind: 'warn' } },
            icon('alert'),
            h(
              'div',
              { class: 'callout-text' },
              h('b', null, 'A pass waits for you. '),
              `It would delete ${countOf(waiting.would_delete, 'event')} of ${count(waiting.events)}, more than half, and has waited since ${formatTime(waiting.since, 's')}.`,
            ),
            button('Let it delete\u2026', '', () => this.onWaiting(), { kind: 'danger', small: true }),
          )
        : null,
      failure
        ? h(
            'div',
            { class: 'card callout', dataset: { kind: 'error' } },
            icon('alert'),
            h('div', { class: 'callout-text' }, h('b', null, 'The last pass failed. '), failure.message),
          )
        : null,
      last
        ? h(
            'p',
            { class: 'quiet' },
            `The last pass was ${ago(last.at)} and deleted ${countOf(last.deleted, 'event')}${last.confirmed ? ', confirmed by a person' : ''}.`,
          )
        : h('p', { class: 'quiet' }, 'No pass since the server started.'),
    );
  }

  /** @returns {Promise<Outlook | null>} what the list as it is edited would delete */
  async preview() {
    const wrong = this.rows.problem();
    if (wrong) {
      this.problem.show(wrong);
      return null;
    }
    try {
      const outlook = await call('POST', 'retention/preview', { body: { policies: this.rows.read() } });
      this.problem.clear();
      this.rows.showOutlook(outlook.policies);
      this.outlook.textContent =
        outlook.would_delete === 0
          ? `Nothing would be deleted now, of ${countOf(outlook.events, 'event')}.`
          : `${countOf(outlook.would_delete, 'event')} of ${count(outlook.events)} would be deleted now${outlook.needs_confirmation ? ': more than half, which has to be confirmed' : ''}.`;
      return outlook;
    } catch (error) {
      this.problem.show(failureText(error));
      return null;
    }
  }

  async onPreview() {
    await this.preview();
  }

  async onSave() {
    const outlook = await this.preview();
    if (!outlook) return;
    const policies = this.rows.read();
    if (outlook.needs_confirmation) {
      await this.confirmed(policies, outlook.would_delete, outlook.events);
      return;
    }
    const yes = await confirmDialog({
      title: policies.length === 0 ? 'End all policies?' : 'Save these policies?',
      body: h(
        'p',
        null,
        outlook.would_delete === 0
          ? 'They delete nothing now; from then on they delete by themselves what grows too old.'
          : `They delete ${countOf(outlook.would_delete, 'event')} at once, and from then on by themselves what grows too old.`,
      ),
      confirm: 'Save',
      danger: outlook.would_delete > 0,
    });
    if (!yes) return;
    try {
      this.saved(await call('PUT', 'retention', { body: { policies } }));
    } catch (error) {
      this.problem.show(failureText(error));
    }
  }

  /** @param {Policy[] | null} policies null for those in force @param {number} number @param {number} events */
  confirmed(policies, number, events) {
    return confirmByNumber({
      title: 'Delete more than half of the events?',
      number,
      confirm: 'Delete for good',
      body: (now) =>
        h(
          'p',
          null,
          'The policies would delete ',
          h('b', null, countOf(now, 'event')),
          ` of ${count(events)} for good. If it were more by the time of the pass, it would wait again.`,
        ),
      run: async (now) => {
        const outlook = await call('POST', 'retention/preview', { body: policies ? { policies } : {} });
        if (outlook.would_delete !== now) return outlook.would_delete;
        this.saved(await call('PUT', 'retention', { body: policies ? { policies, confirm: now } : { confirm: now } }));
        return null;
      },
    });
  }

  async onWaiting() {
    const waiting = this.status?.waiting;
    if (waiting) await this.confirmed(null, waiting.would_delete, waiting.events);
  }

  /** @param {Status} status */
  saved(status) {
    this.status = status;
    this.reset();
    const deleted = status.last_pass?.deleted ?? 0;
    toast(
      status.waiting
        ? 'Saved. The pass waits for a confirmation.'
        : deleted > 0
          ? `Saved. ${countOf(deleted, 'event')} deleted.`
          : 'Saved.',
    );
  }
}

/** A policy as it is sent. @param {Policy} policy @returns {Policy} */
function bare(policy) {
  return {
    name: policy.name,
    ...(policy.realm ? { realm: policy.realm } : {}),
    ...(policy.event_type ? { event_type: policy.event_type } : {}),
    keep_days: policy.keep_days,
  };
}
