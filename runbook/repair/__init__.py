"""Repairs that blueprime makes itself: steps that are on no track, offered by what was seen."""
