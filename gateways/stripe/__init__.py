"""The card rail: reading card payments and paying them back through Stripe."""

from gateways.stripe.gateway import StripeGateway as StripeGateway
