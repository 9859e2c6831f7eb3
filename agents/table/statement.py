"""Which SQL may run: one SELECT over the tables that were taken in, with functions of a list. Everything else is refused.

What a statement is, DuckDB's own parser says (`json_serialize_sql` knows SELECT only); nothing is matched by patterns.
"""

import json
from collections.abc import Iterator
from typing import Any

from agents.table.reading import TableRefused

MOST_CHARS = 20_000
_SCALAR = (
    "abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log2 log10 pow power mod fmod greatest least coalesce "
    "ifnull nullif if isnan isinf isfinite even factorial gcd lcm pi sin cos tan asin acos atan atan2 cot degrees radians "
    "lower upper lcase ucase length len strlen trim ltrim rtrim left right substring substr replace concat concat_ws "
    "contains starts_with ends_with prefix suffix strpos position instr reverse split_part string_split str_split "
    "regexp_matches regexp_replace regexp_extract array_extract list_extract initcap capitalize like_escape not_like_escape "
    "ilike_escape not_ilike_escape ~~ !~~ ~~* !~~* ~~~ ascii chr md5 hash levenshtein jaccard jaro_winkler_similarity year "
    "month day hour minute second quarter week weekday dayofweek isodow dayofyear dayofmonth weekofyear yearweek isoyear "
    "decade century date_part datepart date_trunc datetrunc date_diff datediff date_sub datesub date_add dayname monthname "
    "last_day make_date strftime strptime try_strptime epoch age to_days to_months to_years to_hours to_minutes to_seconds "
    "date to_timestamp + - * / // % ^ ** || & | ! not in is_null is_not_null between struct_pack row list_value "
    "struct_extract typeof"
)
_AGGREGATE = (
    "count count_star sum avg mean min max median mode quantile quantile_cont quantile_disc stddev stddev_samp stddev_pop "
    "variance var_samp var_pop first last any_value arg_min arg_max min_by max_by bool_and bool_or product corr covar_samp "
    "covar_pop regr_slope regr_intercept regr_r2 regr_count skewness kurtosis entropy approx_count_distinct count_if "
    "countif sum_no_overflow fsum kahan_sum favg mad string_agg group_concat listagg list array_agg grouping"
)
_WINDOW = "row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead first_value last_value nth_value"
FUNCTIONS = frozenset(f"{_SCALAR} {_AGGREGATE} {_WINDOW}".split())


def checked(parsed: str, tables: frozenset[str], reserved: frozenset[str]) -> None:
    """Pass a statement that DuckDB has parsed into JSON; `reserved` are names that no WITH may take (of the catalog's views).

    Raises:
        TableRefused: `not_allowed`, with what is not.
    """
    tree = json.loads(parsed)
    if tree.get("error"):
        raise TableRefused("no_query", f"this is not one SELECT: {str(tree.get('error_message'))[:200]}")
    if len(tree.get("statements", ())) != 1:
        raise TableRefused("no_query", "there must be exactly one statement")
    nodes = list(walk(tree["statements"][0]))
    named = {name.lower() for node in nodes for name in _named(node)}
    if named & reserved:  # outside of the WITH its name would mean the catalog's own view
        raise TableRefused("not_allowed", f"{min(named & reserved)} cannot be the name of a WITH")
    known = tables | named
    for node in nodes:
        _table(node, known)
        _function(node)
        _recursion(node)


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a tree."""
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            yield one
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)


def _named(node: dict[str, Any]) -> list[str]:
    """Return the names that a WITH gives."""
    cte = node.get("cte_map")
    return [str(entry["key"]) for entry in cte["map"]] if isinstance(cte, dict) else []


def _table(node: dict[str, Any], known: frozenset[str]) -> None:
    """Refuse a table that was not taken in, and everything that makes a table out of something else."""
    kind = node.get("type")
    if kind == "BASE_TABLE":
        name = str(node.get("table_name"))
        if name.lower() not in known or node.get("catalog_name") or node.get("schema_name") not in ("", None):
            raise TableRefused("not_allowed", f"there is no table {name[:60]!r} here")
        if node.get("at_clause"):
            raise TableRefused("not_allowed", "no table has a past here")
    if kind in ("TABLE_FUNCTION", "SHOW_REF", "COLUMN_DATA", "DELIM_GET", "BOUND_TABLE_REF", "PIVOT"):
        function = node.get("function") or {}
        raise TableRefused("not_allowed", f"{function.get('function_name') or kind.lower()} is not allowed in a query")


def _function(node: dict[str, Any]) -> None:
    """Refuse a function that is not on the list."""
    if "function_name" not in node:
        return
    name = str(node["function_name"]).lower()
    if name not in FUNCTIONS:
        raise TableRefused("not_allowed", f"the function {name[:60]!r} is not allowed in a query")
    if node.get("schema") not in ("", None, "main") or node.get("catalog") not in ("", None):
        raise TableRefused("not_allowed", f"the function {name[:60]!r} must be named without a schema")


def _recursion(node: dict[str, Any]) -> None:
    """Refuse what may go on for ever, and what DuckDB looks up elsewhere."""
    if node.get("type") == "RECURSIVE_CTE_NODE":
        raise TableRefused("not_allowed", "WITH RECURSIVE is not allowed in a query")
    if node.get("class") in ("PARAMETER", "LAMBDA", "LAMBDA_REF", "DEFAULT", "POSITIONAL_REFERENCE"):
        raise TableRefused("not_allowed", f"{str(node['class']).lower()} is not allowed in a query")
