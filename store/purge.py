"""What ended long ago leaves the work queue, and what was taken in long ago the inboxes, a bite at a time.

docs/delivery.md says why nothing is done again after that.
"""

from store.postgres import Connection

# What waits all the same: an effect whose outcome nobody knows, for a person decides on it; a task before its deadline, for
# one that is submitted once more could be claimed until then; and a request that intake, killed before it moved on, reads
# once more when it is back, and makes the same facts of.
_ENDED = """
with ended as (
  select task_id from ops.work_task as task
  where state <> 'open' and ended_at < now() - make_interval(days => %s) and deadline < now()
    and not exists (select from ops.effect where effect.task_id = task.task_id and effect.state = 'unknown')
    and not exists (
      select from ops.request_claim as claim
      left join ops.fold_position as position on position.consumer = 'intake'
        and position.topic = split_part(claim.origin, '/', 1)
        and position.partition = split_part(claim.origin, '/', 2)::int
      where claim.task_id = case when pg_input_is_valid(task.task_id, 'uuid') then task.task_id::uuid end
        and coalesce(position.next, 0) <= split_part(claim.origin, '/', 3)::bigint)
  order by ended_at limit %s for update of task skip locked
), effects as (
  delete from ops.effect using ended where effect.task_id = ended.task_id
), attempts as (
  delete from ops.work_attempt as attempt using ended where attempt.task_id = ended.task_id
)
delete from ops.work_task as task using ended where task.task_id = ended.task_id"""
_TAKEN_IN = """
delete from ops.fold_inbox as inbox
using (
  select consumer, event_id from ops.fold_inbox
  where taken_at < now() - make_interval(days => %s) order by taken_at limit %s for update skip locked
) as old
where inbox.consumer = old.consumer and inbox.event_id = old.event_id"""


async def ended(connection: Connection, keep_days: int, limit: int) -> int:
    """Delete up to `limit` tasks that ended longer ago, with their attempts and effects; return how many."""
    return (await connection.execute(_ENDED, (keep_days, limit))).rowcount


async def taken_in(connection: Connection, keep_days: int, limit: int) -> int:
    """Delete up to `limit` rows of the inboxes that are older; return how many."""
    return (await connection.execute(_TAKEN_IN, (keep_days, limit))).rowcount
