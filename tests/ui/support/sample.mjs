// Notifications as an operator has them in the morning, once for all tests that look at them.

const NOTIFICATIONS = [
  { event_type: 'disk.failing', severity: 'error', message: 'Disk sdb of node-17 is failing', content: '12 reallocated sectors in the last hour. Replace it before the weekend.', source: 'node-agent' },
  { event_type: 'certificate.expiring', severity: 'warn', message: 'The certificate of api.example.org expires in 6 days', source: 'control-plane' },
  { event_type: 'backup.done', severity: 'success', message: 'Nightly backup done: 1.2 TB in 48 min', source: 'scheduler' },
  { event_type: 'release.rolled_out', severity: 'info', message: 'Release 2026.11 is on all regions', content: 'eu-central-1, us-east-1, ap-south-1', source: 'scheduler' },
];

/** @param {import('./server.mjs').Server} server */
export async function notifications(server) {
  if ((await server.get('notifications?limit=0')).total >= NOTIFICATIONS.length) return;
  await server.store(NOTIFICATIONS.map((event) => ({ ...event, notification: true, is_global: true })));
}
