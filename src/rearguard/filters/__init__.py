"""The filter of the border: compiled from the policy, judged packet by packet, rendered, replayed."""
