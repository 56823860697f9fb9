"""BGP FlowSpec: the policy's filter as routes that peers turn into filters, for an emergency and a limited time."""
