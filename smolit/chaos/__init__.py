"""The chaos harness: kills processes and servers while work flows, then checks that nothing was lost or done twice."""
