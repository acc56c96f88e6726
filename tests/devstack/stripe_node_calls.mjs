// The calls of test_stripe_simulator_node.py, made by stripe-node; what it sees is printed as one JSON object.
// Usage: node stripe_node_calls.mjs URL KEY

import Stripe from "stripe";

const [url, key] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const stripe = new Stripe(key, { host: hostname, port, protocol: "http", maxNetworkRetries: 0, telemetry: false });

async function meet(call) {
  try {
    await call();
    return null;
  } catch (error) {
    const { type, statusCode, code, param, message } = error;
    return { type, status: statusCode ?? null, code: code ?? null, param: param ?? null, message };
  }
}

async function control(path, command) {
  const answer = await fetch(`${url}/_sim/${path}`, { method: "POST", body: JSON.stringify(command) });
  if (!answer.ok) throw new Error(await answer.text());
}

const pay = (card = "pm_card_visa") =>
  stripe.paymentIntents.create({ amount: 2000, currency: "usd", payment_method: card, confirm: true });
const withKey = (idempotencyKey) => ({ idempotencyKey });

const payment = await pay();
const asked = { payment_intent: payment.id, amount: 500, metadata: { refund_id: "rf_node" } };
const first = await stripe.refunds.create(asked, withKey("node"));
const replayed = await stripe.refunds.create(asked, withKey("node"));

for (let number = 0; number < 4; number += 1) {
  await stripe.refunds.create({ payment_intent: payment.id, amount: 100 });
}
const page = await stripe.refunds.list({ payment_intent: payment.id, limit: 2 });
const older = await stripe.refunds.list({ payment_intent: payment.id, limit: 2, starting_after: page.data[1].id });
const newer = await stripe.refunds.list({ payment_intent: payment.id, limit: 2, ending_before: older.data[0].id });
const all = [];
for await (const refund of stripe.refunds.list({ payment_intent: payment.id, limit: 2 })) all.push(refund.id);

const errors = {
  mismatch: await meet(() => stripe.refunds.create({ ...asked, amount: 501 }, withKey("node"))),
  too_much: await meet(() => stripe.refunds.create({ payment_intent: payment.id, amount: 1101 })),
  unknown_parameter: await meet(() => stripe.refunds.create({ payment_intent: payment.id, colour: "red" })),
  missing: await meet(() => stripe.refunds.retrieve("re_unknown")),
  declined: await meet(() => pay("pm_card_chargeDeclined")),
  card_refund_canceled: await meet(() => stripe.refunds.cancel(first.id)),
};
for (const kind of ["409", "429", "429_lock_timeout", "401", "403", "500_after", "503_before"]) {
  await control("faults", { kind, path_prefix: "/v1/balance" });
  errors[kind] = await meet(() => stripe.balance.retrieve());
}
for (const kind of ["502_html_after", "200_html_after", "empty_after", "truncate_after", "drop_before"]) {
  // stripe-node itself repeats a call once whose connection was reset, whatever it is told about retries.
  await control("faults", { kind, path_prefix: "/v1/balance", times: kind === "drop_before" ? 2 : 1 });
  errors[kind] = await meet(() => stripe.balance.retrieve());
}

const headers = replayed.lastResponse.headers;
console.log(
  JSON.stringify({
    api_version: stripe.getApiField("version"),
    payment: payment.id,
    first,
    replayed_id: replayed.id,
    is_replayed: headers["idempotent-replayed"],
    pages: { page: page.data.map((one) => one.id), older: older.data.map((one) => one.id) },
    newer: newer.data.map((one) => one.id),
    has_more: [page.has_more, older.has_more],
    all,
    expanded: (await stripe.refunds.retrieve(first.id, { expand: ["payment_intent.latest_charge"] })).payment_intent
      .latest_charge.amount_refunded,
    errors,
  }),
);
