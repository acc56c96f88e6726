// The calls of test_stripe_events_node.py, made by stripe-node; what it sees is printed as one JSON object.
// Usage: node stripe_node_events.mjs URL KEY < {"secret", "deliveries": [{"body", "signature"}], "payment"}

import Stripe from "stripe";

const [url, key] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const stripe = new Stripe(key, { host: hostname, port, protocol: "http", maxNetworkRetries: 0, telemetry: false });

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { secret, deliveries, payment } = JSON.parse(Buffer.concat(chunks).toString());

function verify(body, signature, with_secret) {
  try {
    return stripe.webhooks.constructEvent(body, signature, with_secret);
  } catch (error) {
    return { refused: error.type };
  }
}

const events = deliveries.map(({ body, signature }) => verify(body, signature, secret));
const [{ body, signature }] = deliveries;
const refused = [
  verify(`${body} `, signature, secret),
  verify(body, signature, `${secret}_other`),
  verify(body, signature.replace(/t=\d+/, "t=1"), secret),
];

const of_payment = { payment_intent: payment };
console.log(
  JSON.stringify({
    events,
    refused,
    retrieved: await Promise.all(events.map(({ id }) => stripe.events.retrieve(id))),
    listed: (await stripe.events.list({ types: ["charge.dispute.created"] })).data,
    disputes: (await stripe.disputes.list(of_payment)).data,
    warnings: (await stripe.radar.earlyFraudWarnings.list(of_payment)).data,
    refunds: (await stripe.refunds.list(of_payment)).data,
    charge: (await stripe.charges.list(of_payment)).data[0],
  }),
);
