"""The OAuth half of the client: from a refusal to a request that is let in."""
