"""Parts that agents with networks share."""
