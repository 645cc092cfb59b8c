"""The audit drill: plant known harms in resampled evidence and count how often they are seen."""
