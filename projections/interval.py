"""Count, mean and interval of rewards in SQL, the same in every read model that shows them."""

Z = 1.959964  # the two-sided 95 % quantile of the normal distribution

INTERVAL_COLUMNS = {
    "rewarded": "how many of them have a reward",
    "mean_reward": "mean of the rewards, 0 to 1",
    "reward_low": "lower end of the 95 % interval of the mean (normal approximation; null below two rewards)",
    "reward_high": "upper end of the 95 % interval of the mean",
}


def interval(count: str, total: str, squares: str) -> str:
    """Return SQL for count, mean and 95 % interval of rewards, from exact sums in millionths."""
    mean = f"{total}::numeric / nullif({count}, 0)"
    spread = f"{squares} - {total}::numeric ^ 2 / {count}"
    half = f"case when {count} > 1 then {Z} * sqrt(greatest({spread}, 0) / ({count} - 1) / {count}) end"
    ends = (mean, f"({mean} - {half})", f"({mean} + {half})")
    return f"{count}, " + ", ".join(f"({end} / 1000000)::float8" for end in ends)
