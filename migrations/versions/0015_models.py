"""Model cards, which model each step used, and what agents used of language models beside what they did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# The digests of the read models' declarations (projections/shape.py).
_SHAPES = {
    "model_cards": "215144957a291db4",
    "model_choices": "1cb69d4a6ece141b",
    "agent_performance": "8b4d7984c492d3c1",
}
_BEFORE = "e3677f0f06b8fe26"  # of agent_performance
_NEW = ("model_scores", "model_choices", "model_cards", "agent_use")
_VIEWS = (
    """create or replace view public.model_cards (tenant, name, digest, card, embedding, features_version, changes, registered_at, changed_at, reason, described_offset, retired_offset, state) as
select known.tenant, known.name, known.digest, known.card, known.embedding, known.features_version, known.changes, known.registered_at, known.changed_at, known.reason, known.described_offset, known.retired_offset, case when known.described_offset is null then 'unknown'
  when known.retired_offset > known.described_offset then 'retired' else 'active' end as state
from g1.model_cards_v1 as known""",
    """comment on view public.model_cards is 'Each model as its card last said, and whether it may be used; one row per tenant and model.'""",
    """comment on column public.model_cards.tenant is 'whose agents may use it'""",
    """comment on column public.model_cards.name is 'name of the model'""",
    """comment on column public.model_cards.digest is 'digest of the card'""",
    """comment on column public.model_cards.card is 'the model as data: kind, description, subtasks, domains, pipeline, price'""",
    """comment on column public.model_cards.embedding is 'vector of the description: little-endian float16'""",
    """comment on column public.model_cards.features_version is 'version of the vector'""",
    """comment on column public.model_cards.changes is 'how often it was registered or changed'""",
    """comment on column public.model_cards.registered_at is 'when it was first registered or changed'""",
    """comment on column public.model_cards.changed_at is 'when anything about it last changed'""",
    """comment on column public.model_cards.reason is 'why it last retired'""",
    """comment on column public.model_cards.described_offset is 'offset of the last registration or change'""",
    """comment on column public.model_cards.retired_offset is 'offset of the last retirement'""",
    """comment on column public.model_cards.state is 'active, retired, or unknown: retired and never described'""",
    """grant select on public.model_cards to smolit_analyst""",
    """create or replace view public.model_choices (task_id, attempt, step, tenant, scope, agent, subtask, domain, model, probability, explored, fit, policy, candidates, failed, ended_at) as
select known.task_id, known.attempt, known.step, known.tenant, known.scope, known.agent, known.subtask, known.domain, known.model, known.probability, known.explored, known.fit, known.policy, known.candidates, known.failed, known.ended_at
from g1.model_choices_v1 as known""",
    """comment on view public.model_choices is 'Which model each step of an attempt used, where there was a choice.'""",
    """comment on column public.model_choices.task_id is 'id of the task'""",
    """comment on column public.model_choices.attempt is 'number of the attempt, from 1'""",
    """comment on column public.model_choices.step is 'name of the step'""",
    """comment on column public.model_choices.tenant is 'whose task it is'""",
    """comment on column public.model_choices.scope is 'what one policy state covers'""",
    """comment on column public.model_choices.agent is 'the agent whose step it is'""",
    """comment on column public.model_choices.subtask is 'what the model was chosen for'""",
    """comment on column public.model_choices.domain is 'what the text is about; null: not known'""",
    """comment on column public.model_choices.model is 'name and version of the model'""",
    """comment on column public.model_choices.probability is 'the probability that it was chosen with'""",
    """comment on column public.model_choices.explored is 'whether another one was the policy''s favourite'""",
    """comment on column public.model_choices.fit is 'cosine of text and card; null: not compared'""",
    """comment on column public.model_choices.policy is 'what chose, with its version'""",
    """comment on column public.model_choices.candidates is 'who could be chosen: score, its parts, probability'""",
    """comment on column public.model_choices.failed is 'whether the model brought nothing'""",
    """comment on column public.model_choices.ended_at is 'when the attempt was over'""",
    """grant select on public.model_choices to smolit_analyst""",
    """create or replace view public.model_scores (tenant, subtask, domain, model, used, failed, mean_probability, rewarded, mean_reward, reward_low, reward_high) as
select tenant, subtask, domain, model, used, failed, mean_probability, judged, (total::numeric / nullif(judged, 0) / 1000000)::float8, ((total::numeric / nullif(judged, 0) - case when judged > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / judged, 0) / (judged - 1) / judged) end) / 1000000)::float8, ((total::numeric / nullif(judged, 0) + case when judged > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / judged, 0) / (judged - 1) / judged) end) / 1000000)::float8
from (
  select choice.tenant, choice.subtask, coalesce(choice.domain, '') as domain, choice.model, count(*) as used,
    count(*) filter (where choice.failed) as failed, avg(choice.probability) as mean_probability,
    count(case when choice.failed then 0 else example.reward_micro end) as judged, sum(case when choice.failed then 0 else example.reward_micro end) as total, sum((case when choice.failed then 0 else example.reward_micro end)::numeric ^ 2) as squares
  from g1.model_choices_v1 as choice
  left join g1.examples_v1 as example
    on example.task_id = choice.task_id and example.attempt = choice.attempt and example.scope = choice.scope
  group by choice.tenant, choice.subtask, coalesce(choice.domain, ''), choice.model
) as sums""",
    """comment on view public.model_scores is 'How each model did at each subtask in each domain, joined afresh from choices and rewards.'""",
    """comment on column public.model_scores.tenant is 'whose tasks'""",
    """comment on column public.model_scores.subtask is 'what the model was chosen for'""",
    """comment on column public.model_scores.domain is 'what the texts were about; empty: not known'""",
    """comment on column public.model_scores.model is 'name and version of the model'""",
    """comment on column public.model_scores.used is 'how often it was chosen'""",
    """comment on column public.model_scores.failed is 'how often it brought nothing'""",
    """comment on column public.model_scores.mean_probability is 'mean probability that it was chosen with'""",
    """comment on column public.model_scores.rewarded is 'how many of them have a reward'""",
    """comment on column public.model_scores.mean_reward is 'mean of the rewards, 0 to 1'""",
    """comment on column public.model_scores.reward_low is 'lower end of the 95 % interval of the mean (normal approximation; null below two rewards)'""",
    """comment on column public.model_scores.reward_high is 'upper end of the 95 % interval of the mean'""",
    """grant select on public.model_scores to smolit_analyst""",
    """create or replace view public.agent_use (tenant, scope, agent, hour, model_calls, tokens_in, tokens_out, model_microusd, model_costed, model_us) as
select known.tenant, known.scope, known.agent, known.hour, known.model_calls, known.tokens_in, known.tokens_out, known.model_microusd, known.model_costed, known.model_us
from g1.agent_use_v1 as known""",
    """comment on view public.agent_use is 'What agents used of language models per tenant, scope, agent and hour; failed attempts count, too.'""",
    """comment on column public.agent_use.tenant is 'whose tasks'""",
    """comment on column public.agent_use.scope is 'what one policy state covers'""",
    """comment on column public.agent_use.agent is 'the agent'""",
    """comment on column public.agent_use.hour is 'hour of the end of the attempt'""",
    """comment on column public.agent_use.model_calls is 'steps that asked a language model'""",
    """comment on column public.agent_use.tokens_in is 'tokens read'""",
    """comment on column public.agent_use.tokens_out is 'tokens written'""",
    """comment on column public.agent_use.model_microusd is 'known cost of these steps in millionths of a dollar'""",
    """comment on column public.agent_use.model_costed is 'steps whose cost is known'""",
    """comment on column public.agent_use.model_us is 'duration of these steps in microseconds'""",
    """grant select on public.agent_use to smolit_analyst""",
)
_PERFORMANCE = (
    """create or replace view public.agent_performance (tenant, scope, agent, chosen, explored, mean_propensity, attempts, completed, failed, timed_out, abandoned, success_rate, mean_duration_us, p50_duration_us, p95_duration_us, cost_microusd, costed, rewarded, mean_reward, reward_low, reward_high, model_calls, tokens_in, tokens_out, model_microusd, model_us) as
with work as (
  select tenant, scope, agent, sum(chosen) as chosen, sum(explored) as explored, sum(propensity_micro) as propensity_micro,
    sum(completed) as completed, sum(failed) as failed, sum(timed_out) as timed_out, sum(abandoned) as abandoned,
    sum(completed + failed + timed_out) as timed, sum(duration_us) as duration_us,
    sum(cost_microusd) as cost_microusd, sum(costed) as costed
  from g1.agent_work_v1  group by tenant, scope, agent
), reward as (
  select tenant, scope, agent, sum(examples) as rewarded, sum(reward_micro) as total, sum(reward_micro_squared) as squares
  from g1.agent_reward_v1  group by tenant, scope, agent
), bucket as (
  select tenant, scope, agent, upto_us, sum(attempts) as attempts from g1.agent_duration_v1  group by tenant, scope, agent, upto_us
), running as (
  select tenant, scope, agent, upto_us, sum(attempts) over (partition by tenant, scope, agent order by upto_us) as below,
    sum(attempts) over (partition by tenant, scope, agent) as total
  from bucket
), latency as (
  select tenant, scope, agent, min(upto_us) filter (where below * 2 >= total) as p50,
    min(upto_us) filter (where below * 20 >= total * 19) as p95
  from running group by tenant, scope, agent
), used as (
  select tenant, scope, agent, sum(model_calls) as model_calls, sum(tokens_in) as tokens_in, sum(tokens_out) as tokens_out,
    sum(model_microusd) as model_microusd, sum(model_costed) as model_costed, sum(model_us) as model_us
  from g1.agent_use_v1  group by tenant, scope, agent
)
select tenant, scope, agent, coalesce(chosen, 0)::bigint, coalesce(explored, 0)::bigint,
  (propensity_micro / nullif(chosen, 0) / 1000000)::float8,
  coalesce(timed + abandoned, 0)::bigint, coalesce(completed, 0)::bigint, coalesce(failed, 0)::bigint,
  coalesce(timed_out, 0)::bigint, coalesce(abandoned, 0)::bigint, (completed / nullif(timed, 0))::float8,
  (duration_us / nullif(timed, 0))::bigint, p50, p95, case when costed > 0 then cost_microusd::bigint end,
  coalesce(costed, 0)::bigint, coalesce(rewarded, 0)::bigint, (total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) / 1000000)::float8, ((total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) - case when coalesce(rewarded, 0)::bigint > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / coalesce(rewarded, 0)::bigint, 0) / (coalesce(rewarded, 0)::bigint - 1) / coalesce(rewarded, 0)::bigint) end) / 1000000)::float8, ((total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) + case when coalesce(rewarded, 0)::bigint > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / coalesce(rewarded, 0)::bigint, 0) / (coalesce(rewarded, 0)::bigint - 1) / coalesce(rewarded, 0)::bigint) end) / 1000000)::float8,
  coalesce(model_calls, 0)::bigint, coalesce(tokens_in, 0)::bigint, coalesce(tokens_out, 0)::bigint,
  case when model_costed > 0 then model_microusd::bigint end, coalesce(model_us, 0)::bigint
from work full join reward using (tenant, scope, agent) left join latency using (tenant, scope, agent) left join used using (tenant, scope, agent)""",
    """comment on view public.agent_performance is 'What each agent did so far: choices, attempts, success, reward with its interval, latency, cost.'""",
    """comment on column public.agent_performance.tenant is 'whose tasks'""",
    """comment on column public.agent_performance.scope is 'what one policy state covers'""",
    """comment on column public.agent_performance.agent is 'the agent'""",
    """comment on column public.agent_performance.chosen is 'how often the agent was chosen'""",
    """comment on column public.agent_performance.explored is 'how often although another agent was the more likely one'""",
    """comment on column public.agent_performance.mean_propensity is 'mean probability that it was chosen with'""",
    """comment on column public.agent_performance.attempts is 'attempts that are over'""",
    """comment on column public.agent_performance.completed is 'attempts that completed'""",
    """comment on column public.agent_performance.failed is 'attempts that failed'""",
    """comment on column public.agent_performance.timed_out is 'attempts that ran out of time'""",
    """comment on column public.agent_performance.abandoned is 'attempts given up for reasons that are not the agent''s'""",
    """comment on column public.agent_performance.success_rate is 'share of completed ones among completed, failed and timed out ones'""",
    """comment on column public.agent_performance.mean_duration_us is 'mean duration in microseconds, abandoned ones left out'""",
    """comment on column public.agent_performance.p50_duration_us is 'half of them took at most so long: upper bound of a histogram bucket'""",
    """comment on column public.agent_performance.p95_duration_us is '19 in 20 took at most so long: upper bound of a histogram bucket'""",
    """comment on column public.agent_performance.cost_microusd is 'known cost in millionths of a dollar; null: none is known'""",
    """comment on column public.agent_performance.costed is 'attempts whose cost is known'""",
    """comment on column public.agent_performance.rewarded is 'how many of them have a reward'""",
    """comment on column public.agent_performance.mean_reward is 'mean of the rewards, 0 to 1'""",
    """comment on column public.agent_performance.reward_low is 'lower end of the 95 % interval of the mean (normal approximation; null below two rewards)'""",
    """comment on column public.agent_performance.reward_high is 'upper end of the 95 % interval of the mean'""",
    """comment on column public.agent_performance.model_calls is 'steps that asked a language model'""",
    """comment on column public.agent_performance.tokens_in is 'tokens that it read'""",
    """comment on column public.agent_performance.tokens_out is 'tokens that it wrote'""",
    """comment on column public.agent_performance.model_microusd is 'known cost of these steps in millionths of a dollar; null: none is known'""",
    """comment on column public.agent_performance.model_us is 'duration of these steps in microseconds'""",
    """grant select on public.agent_performance to smolit_analyst""",
    """create or replace view public.agent_performance_hourly (tenant, scope, agent, hour, chosen, explored, mean_propensity, attempts, completed, failed, timed_out, abandoned, success_rate, mean_duration_us, p50_duration_us, p95_duration_us, cost_microusd, costed, rewarded, mean_reward, reward_low, reward_high, model_calls, tokens_in, tokens_out, model_microusd, model_us) as
with work as (
  select tenant, scope, agent, hour, sum(chosen) as chosen, sum(explored) as explored, sum(propensity_micro) as propensity_micro,
    sum(completed) as completed, sum(failed) as failed, sum(timed_out) as timed_out, sum(abandoned) as abandoned,
    sum(completed + failed + timed_out) as timed, sum(duration_us) as duration_us,
    sum(cost_microusd) as cost_microusd, sum(costed) as costed
  from g1.agent_work_v1  group by tenant, scope, agent, hour
), reward as (
  select tenant, scope, agent, hour, sum(examples) as rewarded, sum(reward_micro) as total, sum(reward_micro_squared) as squares
  from g1.agent_reward_v1  group by tenant, scope, agent, hour
), bucket as (
  select tenant, scope, agent, hour, upto_us, sum(attempts) as attempts from g1.agent_duration_v1  group by tenant, scope, agent, hour, upto_us
), running as (
  select tenant, scope, agent, hour, upto_us, sum(attempts) over (partition by tenant, scope, agent, hour order by upto_us) as below,
    sum(attempts) over (partition by tenant, scope, agent, hour) as total
  from bucket
), latency as (
  select tenant, scope, agent, hour, min(upto_us) filter (where below * 2 >= total) as p50,
    min(upto_us) filter (where below * 20 >= total * 19) as p95
  from running group by tenant, scope, agent, hour
), used as (
  select tenant, scope, agent, hour, sum(model_calls) as model_calls, sum(tokens_in) as tokens_in, sum(tokens_out) as tokens_out,
    sum(model_microusd) as model_microusd, sum(model_costed) as model_costed, sum(model_us) as model_us
  from g1.agent_use_v1  group by tenant, scope, agent, hour
)
select tenant, scope, agent, hour, coalesce(chosen, 0)::bigint, coalesce(explored, 0)::bigint,
  (propensity_micro / nullif(chosen, 0) / 1000000)::float8,
  coalesce(timed + abandoned, 0)::bigint, coalesce(completed, 0)::bigint, coalesce(failed, 0)::bigint,
  coalesce(timed_out, 0)::bigint, coalesce(abandoned, 0)::bigint, (completed / nullif(timed, 0))::float8,
  (duration_us / nullif(timed, 0))::bigint, p50, p95, case when costed > 0 then cost_microusd::bigint end,
  coalesce(costed, 0)::bigint, coalesce(rewarded, 0)::bigint, (total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) / 1000000)::float8, ((total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) - case when coalesce(rewarded, 0)::bigint > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / coalesce(rewarded, 0)::bigint, 0) / (coalesce(rewarded, 0)::bigint - 1) / coalesce(rewarded, 0)::bigint) end) / 1000000)::float8, ((total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) + case when coalesce(rewarded, 0)::bigint > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / coalesce(rewarded, 0)::bigint, 0) / (coalesce(rewarded, 0)::bigint - 1) / coalesce(rewarded, 0)::bigint) end) / 1000000)::float8,
  coalesce(model_calls, 0)::bigint, coalesce(tokens_in, 0)::bigint, coalesce(tokens_out, 0)::bigint,
  case when model_costed > 0 then model_microusd::bigint end, coalesce(model_us, 0)::bigint
from work full join reward using (tenant, scope, agent, hour) left join latency using (tenant, scope, agent, hour) left join used using (tenant, scope, agent, hour)""",
    """comment on view public.agent_performance_hourly is 'What each agent did in each hour: choices, attempts, success, reward with its interval, latency, cost.'""",
    """comment on column public.agent_performance_hourly.tenant is 'whose tasks'""",
    """comment on column public.agent_performance_hourly.scope is 'what one policy state covers'""",
    """comment on column public.agent_performance_hourly.agent is 'the agent'""",
    """comment on column public.agent_performance_hourly.hour is 'hour of the choice, of the end of the attempt, or of its first reward'""",
    """comment on column public.agent_performance_hourly.chosen is 'how often the agent was chosen'""",
    """comment on column public.agent_performance_hourly.explored is 'how often although another agent was the more likely one'""",
    """comment on column public.agent_performance_hourly.mean_propensity is 'mean probability that it was chosen with'""",
    """comment on column public.agent_performance_hourly.attempts is 'attempts that are over'""",
    """comment on column public.agent_performance_hourly.completed is 'attempts that completed'""",
    """comment on column public.agent_performance_hourly.failed is 'attempts that failed'""",
    """comment on column public.agent_performance_hourly.timed_out is 'attempts that ran out of time'""",
    """comment on column public.agent_performance_hourly.abandoned is 'attempts given up for reasons that are not the agent''s'""",
    """comment on column public.agent_performance_hourly.success_rate is 'share of completed ones among completed, failed and timed out ones'""",
    """comment on column public.agent_performance_hourly.mean_duration_us is 'mean duration in microseconds, abandoned ones left out'""",
    """comment on column public.agent_performance_hourly.p50_duration_us is 'half of them took at most so long: upper bound of a histogram bucket'""",
    """comment on column public.agent_performance_hourly.p95_duration_us is '19 in 20 took at most so long: upper bound of a histogram bucket'""",
    """comment on column public.agent_performance_hourly.cost_microusd is 'known cost in millionths of a dollar; null: none is known'""",
    """comment on column public.agent_performance_hourly.costed is 'attempts whose cost is known'""",
    """comment on column public.agent_performance_hourly.rewarded is 'how many of them have a reward'""",
    """comment on column public.agent_performance_hourly.mean_reward is 'mean of the rewards, 0 to 1'""",
    """comment on column public.agent_performance_hourly.reward_low is 'lower end of the 95 % interval of the mean (normal approximation; null below two rewards)'""",
    """comment on column public.agent_performance_hourly.reward_high is 'upper end of the 95 % interval of the mean'""",
    """comment on column public.agent_performance_hourly.model_calls is 'steps that asked a language model'""",
    """comment on column public.agent_performance_hourly.tokens_in is 'tokens that it read'""",
    """comment on column public.agent_performance_hourly.tokens_out is 'tokens that it wrote'""",
    """comment on column public.agent_performance_hourly.model_microusd is 'known cost of these steps in millionths of a dollar; null: none is known'""",
    """comment on column public.agent_performance_hourly.model_us is 'duration of these steps in microseconds'""",
    """grant select on public.agent_performance_hourly to smolit_analyst""",
)
_PERFORMANCE_BEFORE = (
    """create or replace view public.agent_performance (tenant, scope, agent, chosen, explored, mean_propensity, attempts, completed, failed, timed_out, abandoned, success_rate, mean_duration_us, p50_duration_us, p95_duration_us, cost_microusd, costed, rewarded, mean_reward, reward_low, reward_high) as
with work as (
  select tenant, scope, agent, sum(chosen) as chosen, sum(explored) as explored, sum(propensity_micro) as propensity_micro,
    sum(completed) as completed, sum(failed) as failed, sum(timed_out) as timed_out, sum(abandoned) as abandoned,
    sum(completed + failed + timed_out) as timed, sum(duration_us) as duration_us,
    sum(cost_microusd) as cost_microusd, sum(costed) as costed
  from g1.agent_work_v1  group by tenant, scope, agent
), reward as (
  select tenant, scope, agent, sum(examples) as rewarded, sum(reward_micro) as total, sum(reward_micro_squared) as squares
  from g1.agent_reward_v1  group by tenant, scope, agent
), bucket as (
  select tenant, scope, agent, upto_us, sum(attempts) as attempts from g1.agent_duration_v1  group by tenant, scope, agent, upto_us
), running as (
  select tenant, scope, agent, upto_us, sum(attempts) over (partition by tenant, scope, agent order by upto_us) as below,
    sum(attempts) over (partition by tenant, scope, agent) as total
  from bucket
), latency as (
  select tenant, scope, agent, min(upto_us) filter (where below * 2 >= total) as p50,
    min(upto_us) filter (where below * 20 >= total * 19) as p95
  from running group by tenant, scope, agent
)
select tenant, scope, agent, coalesce(chosen, 0)::bigint, coalesce(explored, 0)::bigint,
  (propensity_micro / nullif(chosen, 0) / 1000000)::float8,
  coalesce(timed + abandoned, 0)::bigint, coalesce(completed, 0)::bigint, coalesce(failed, 0)::bigint,
  coalesce(timed_out, 0)::bigint, coalesce(abandoned, 0)::bigint, (completed / nullif(timed, 0))::float8,
  (duration_us / nullif(timed, 0))::bigint, p50, p95, case when costed > 0 then cost_microusd::bigint end,
  coalesce(costed, 0)::bigint, coalesce(rewarded, 0)::bigint, (total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) / 1000000)::float8, ((total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) - case when coalesce(rewarded, 0)::bigint > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / coalesce(rewarded, 0)::bigint, 0) / (coalesce(rewarded, 0)::bigint - 1) / coalesce(rewarded, 0)::bigint) end) / 1000000)::float8, ((total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) + case when coalesce(rewarded, 0)::bigint > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / coalesce(rewarded, 0)::bigint, 0) / (coalesce(rewarded, 0)::bigint - 1) / coalesce(rewarded, 0)::bigint) end) / 1000000)::float8
from work full join reward using (tenant, scope, agent) left join latency using (tenant, scope, agent)""",
    """comment on view public.agent_performance is 'What each agent did so far: choices, attempts, success, reward with its interval, latency, cost.'""",
    """comment on column public.agent_performance.tenant is 'whose tasks'""",
    """comment on column public.agent_performance.scope is 'what one policy state covers'""",
    """comment on column public.agent_performance.agent is 'the agent'""",
    """comment on column public.agent_performance.chosen is 'how often the agent was chosen'""",
    """comment on column public.agent_performance.explored is 'how often although another agent was the more likely one'""",
    """comment on column public.agent_performance.mean_propensity is 'mean probability that it was chosen with'""",
    """comment on column public.agent_performance.attempts is 'attempts that are over'""",
    """comment on column public.agent_performance.completed is 'attempts that completed'""",
    """comment on column public.agent_performance.failed is 'attempts that failed'""",
    """comment on column public.agent_performance.timed_out is 'attempts that ran out of time'""",
    """comment on column public.agent_performance.abandoned is 'attempts given up for reasons that are not the agent''s'""",
    """comment on column public.agent_performance.success_rate is 'share of completed ones among completed, failed and timed out ones'""",
    """comment on column public.agent_performance.mean_duration_us is 'mean duration in microseconds, abandoned ones left out'""",
    """comment on column public.agent_performance.p50_duration_us is 'half of them took at most so long: upper bound of a histogram bucket'""",
    """comment on column public.agent_performance.p95_duration_us is '19 in 20 took at most so long: upper bound of a histogram bucket'""",
    """comment on column public.agent_performance.cost_microusd is 'known cost in millionths of a dollar; null: none is known'""",
    """comment on column public.agent_performance.costed is 'attempts whose cost is known'""",
    """comment on column public.agent_performance.rewarded is 'how many of them have a reward'""",
    """comment on column public.agent_performance.mean_reward is 'mean of the rewards, 0 to 1'""",
    """comment on column public.agent_performance.reward_low is 'lower end of the 95 % interval of the mean (normal approximation; null below two rewards)'""",
    """comment on column public.agent_performance.reward_high is 'upper end of the 95 % interval of the mean'""",
    """grant select on public.agent_performance to smolit_analyst""",
    """create or replace view public.agent_performance_hourly (tenant, scope, agent, hour, chosen, explored, mean_propensity, attempts, completed, failed, timed_out, abandoned, success_rate, mean_duration_us, p50_duration_us, p95_duration_us, cost_microusd, costed, rewarded, mean_reward, reward_low, reward_high) as
with work as (
  select tenant, scope, agent, hour, sum(chosen) as chosen, sum(explored) as explored, sum(propensity_micro) as propensity_micro,
    sum(completed) as completed, sum(failed) as failed, sum(timed_out) as timed_out, sum(abandoned) as abandoned,
    sum(completed + failed + timed_out) as timed, sum(duration_us) as duration_us,
    sum(cost_microusd) as cost_microusd, sum(costed) as costed
  from g1.agent_work_v1  group by tenant, scope, agent, hour
), reward as (
  select tenant, scope, agent, hour, sum(examples) as rewarded, sum(reward_micro) as total, sum(reward_micro_squared) as squares
  from g1.agent_reward_v1  group by tenant, scope, agent, hour
), bucket as (
  select tenant, scope, agent, hour, upto_us, sum(attempts) as attempts from g1.agent_duration_v1  group by tenant, scope, agent, hour, upto_us
), running as (
  select tenant, scope, agent, hour, upto_us, sum(attempts) over (partition by tenant, scope, agent, hour order by upto_us) as below,
    sum(attempts) over (partition by tenant, scope, agent, hour) as total
  from bucket
), latency as (
  select tenant, scope, agent, hour, min(upto_us) filter (where below * 2 >= total) as p50,
    min(upto_us) filter (where below * 20 >= total * 19) as p95
  from running group by tenant, scope, agent, hour
)
select tenant, scope, agent, hour, coalesce(chosen, 0)::bigint, coalesce(explored, 0)::bigint,
  (propensity_micro / nullif(chosen, 0) / 1000000)::float8,
  coalesce(timed + abandoned, 0)::bigint, coalesce(completed, 0)::bigint, coalesce(failed, 0)::bigint,
  coalesce(timed_out, 0)::bigint, coalesce(abandoned, 0)::bigint, (completed / nullif(timed, 0))::float8,
  (duration_us / nullif(timed, 0))::bigint, p50, p95, case when costed > 0 then cost_microusd::bigint end,
  coalesce(costed, 0)::bigint, coalesce(rewarded, 0)::bigint, (total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) / 1000000)::float8, ((total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) - case when coalesce(rewarded, 0)::bigint > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / coalesce(rewarded, 0)::bigint, 0) / (coalesce(rewarded, 0)::bigint - 1) / coalesce(rewarded, 0)::bigint) end) / 1000000)::float8, ((total::numeric / nullif(coalesce(rewarded, 0)::bigint, 0) + case when coalesce(rewarded, 0)::bigint > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / coalesce(rewarded, 0)::bigint, 0) / (coalesce(rewarded, 0)::bigint - 1) / coalesce(rewarded, 0)::bigint) end) / 1000000)::float8
from work full join reward using (tenant, scope, agent, hour) left join latency using (tenant, scope, agent, hour)""",
    """comment on view public.agent_performance_hourly is 'What each agent did in each hour: choices, attempts, success, reward with its interval, latency, cost.'""",
    """comment on column public.agent_performance_hourly.tenant is 'whose tasks'""",
    """comment on column public.agent_performance_hourly.scope is 'what one policy state covers'""",
    """comment on column public.agent_performance_hourly.agent is 'the agent'""",
    """comment on column public.agent_performance_hourly.hour is 'hour of the choice, of the end of the attempt, or of its first reward'""",
    """comment on column public.agent_performance_hourly.chosen is 'how often the agent was chosen'""",
    """comment on column public.agent_performance_hourly.explored is 'how often although another agent was the more likely one'""",
    """comment on column public.agent_performance_hourly.mean_propensity is 'mean probability that it was chosen with'""",
    """comment on column public.agent_performance_hourly.attempts is 'attempts that are over'""",
    """comment on column public.agent_performance_hourly.completed is 'attempts that completed'""",
    """comment on column public.agent_performance_hourly.failed is 'attempts that failed'""",
    """comment on column public.agent_performance_hourly.timed_out is 'attempts that ran out of time'""",
    """comment on column public.agent_performance_hourly.abandoned is 'attempts given up for reasons that are not the agent''s'""",
    """comment on column public.agent_performance_hourly.success_rate is 'share of completed ones among completed, failed and timed out ones'""",
    """comment on column public.agent_performance_hourly.mean_duration_us is 'mean duration in microseconds, abandoned ones left out'""",
    """comment on column public.agent_performance_hourly.p50_duration_us is 'half of them took at most so long: upper bound of a histogram bucket'""",
    """comment on column public.agent_performance_hourly.p95_duration_us is '19 in 20 took at most so long: upper bound of a histogram bucket'""",
    """comment on column public.agent_performance_hourly.cost_microusd is 'known cost in millionths of a dollar; null: none is known'""",
    """comment on column public.agent_performance_hourly.costed is 'attempts whose cost is known'""",
    """comment on column public.agent_performance_hourly.rewarded is 'how many of them have a reward'""",
    """comment on column public.agent_performance_hourly.mean_reward is 'mean of the rewards, 0 to 1'""",
    """comment on column public.agent_performance_hourly.reward_low is 'lower end of the 95 % interval of the mean (normal approximation; null below two rewards)'""",
    """comment on column public.agent_performance_hourly.reward_high is 'upper end of the 95 % interval of the mean'""",
    """grant select on public.agent_performance_hourly to smolit_analyst""",
)
# What steps of attempts in the past used; the read model of attempts has them.
_FILL = """insert into g1.agent_use_v1 (tenant, scope, agent, hour, model_calls, tokens_in, tokens_out, model_microusd, model_costed, model_us)
select tried.tenant, tried.scope, tried.agent, date_trunc('hour', tried.ended_at, 'UTC'), count(*), sum((step ->> 'tokens_in')::bigint),
  sum(coalesce((step ->> 'tokens_out')::bigint, 0)), sum(coalesce((step ->> 'cost_microusd')::bigint, 0)),
  count(step ->> 'cost_microusd'), sum((step ->> 'duration_us')::bigint)
from g1.attempts_v1 as tried cross join lateral jsonb_array_elements(tried.steps) as step
where tried.ended_at is not null and step ->> 'model' is not null and step ->> 'tokens_in' is not null
group by 1, 2, 3, 4"""


def upgrade() -> None:
    """Nobody chose among models before; what agents used is summed up from their attempts."""
    for generation, state in _generations("and not shape ? 'model_cards'"):
        _tables(generation)
        op.execute(_FILL.replace("g1.", f"{generation}."))
        _make(generation, state, (*_VIEWS, *_PERFORMANCE))
        for name, digest in _SHAPES.items():
            _shape(generation, "shape || jsonb_build_object(cast(:name as text), cast(:digest as text))", name=name, digest=digest)


def downgrade() -> None:
    """The releases before know no cards."""
    for view in (*_NEW, "agent_performance_hourly", "agent_performance"):
        op.execute(f"drop view if exists public.{view}")
    for generation, state in _generations(""):
        for view in (*_NEW, "agent_performance_hourly", "agent_performance"):
            op.execute(f"drop view if exists {generation}.{view}")
        for table in ("model_choices_v1", "model_cards_v1", "agent_use_v1"):
            op.drop_table(table, schema=generation)
        _make(generation, state, _PERFORMANCE_BEFORE)
        for name in ("model_cards", "model_choices"):
            _shape(generation, "shape - cast(:name as text)", name=name)
        before = "shape || jsonb_build_object('agent_performance', cast(:digest as text))"
        _shape(generation, before, digest=_BEFORE)


def _generations(which: str) -> list[tuple[str, str]]:
    """Return generations that are there with their states; nobody folds into them until we are done."""
    query = f"select name, state from ops.read_generation where state <> 'dropped' {which} order by name for update"
    return [(name, state) for name, state in op.get_bind().execute(sa.text(query))]


def _shape(generation: str, shape: str, **values: str) -> None:
    """Note what a generation holds now."""
    update = f"update ops.read_generation set shape = {shape} where name = :generation"
    op.execute(sa.text(update).bindparams(generation=generation, **values))


def _make(generation: str, state: str, views: tuple[str, ...]) -> None:
    """Make views in public if the generation serves, and in its own schema if it has such views."""
    has_own = op.get_bind().execute(sa.text(f"select to_regclass('{generation}.tasks') is not null")).scalar_one()
    for schema, wanted in (("public", state == "serving"), (generation, has_own)):
        for statement in views if wanted else ():
            op.execute(statement.replace("g1.", f"{generation}.").replace("public.", f"{schema}."))


def _tables(generation: str) -> None:
    op.create_table(
        "model_cards_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment="whose agents may use it"),
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False, comment="name of the model"),
        sa.Column("digest", sa.Text(), nullable=True, comment="digest of the card"),
        sa.Column("card", postgresql.JSONB(), nullable=True, comment="the model as data: kind, description, subtasks, domains, pipeline, price"),
        sa.Column("embedding", sa.LargeBinary(), nullable=True, comment="vector of the description: little-endian float16"),
        sa.Column("features_version", sa.Text(), nullable=True, comment="version of the vector"),
        sa.Column("changes", sa.BigInteger(), nullable=False, comment="how often it was registered or changed"),
        sa.Column("registered_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="when it was first registered or changed"),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="when anything about it last changed"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it last retired"),
        sa.Column("described_offset", sa.BigInteger(), nullable=True, comment="offset of the last registration or change"),
        sa.Column("retired_offset", sa.BigInteger(), nullable=True, comment="offset of the last retirement"),
        sa.PrimaryKeyConstraint("tenant", "name"),
        schema=generation,
        comment="Each model as its card last said, and whether it may be used; one row per tenant and model.",
    )  # fmt: skip
    op.create_table(
        "model_choices_v1",
        sa.Column("task_id", sa.Text(), autoincrement=False, nullable=False, comment="id of the task"),
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False, comment="number of the attempt, from 1"),
        sa.Column("step", sa.Text(), autoincrement=False, nullable=False, comment="name of the step"),
        sa.Column("tenant", sa.Text(), nullable=True, comment="whose task it is"),
        sa.Column("scope", sa.Text(), nullable=True, comment="what one policy state covers"),
        sa.Column("agent", sa.Text(), nullable=True, comment="the agent whose step it is"),
        sa.Column("subtask", sa.Text(), nullable=True, comment="what the model was chosen for"),
        sa.Column("domain", sa.Text(), nullable=True, comment="what the text is about; null: not known"),
        sa.Column("model", sa.Text(), nullable=True, comment="name and version of the model"),
        sa.Column("probability", sa.Double(), nullable=True, comment="the probability that it was chosen with"),
        sa.Column("explored", sa.Boolean(), nullable=True, comment="whether another one was the policy's favourite"),
        sa.Column("fit", sa.Double(), nullable=True, comment="cosine of text and card; null: not compared"),
        sa.Column("policy", sa.Text(), nullable=True, comment="what chose, with its version"),
        sa.Column("candidates", postgresql.JSONB(), nullable=True, comment="who could be chosen: score, its parts, probability"),
        sa.Column("failed", sa.Boolean(), nullable=True, comment="whether the model brought nothing"),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="when the attempt was over"),
        sa.PrimaryKeyConstraint("task_id", "attempt", "step"),
        schema=generation,
        comment="Which model each step of an attempt used, where there was a choice.",
    )  # fmt: skip
    op.create_index("model_choices_v1_subtask", "model_choices_v1", ["tenant", "subtask", "ended_at"], schema=generation)
    op.create_table(
        "agent_use_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment="whose tasks"),
        sa.Column("scope", sa.Text(), autoincrement=False, nullable=False, comment="what one policy state covers"),
        sa.Column("agent", sa.Text(), autoincrement=False, nullable=False, comment="the agent"),
        sa.Column("hour", postgresql.TIMESTAMP(timezone=True), autoincrement=False, nullable=False, comment="hour of the end of the attempt"),
        sa.Column("model_calls", sa.BigInteger(), nullable=False, comment="steps that asked a language model"),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False, comment="tokens read"),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False, comment="tokens written"),
        sa.Column("model_microusd", sa.BigInteger(), nullable=False, comment="known cost of these steps in millionths of a dollar"),
        sa.Column("model_costed", sa.BigInteger(), nullable=False, comment="steps whose cost is known"),
        sa.Column("model_us", sa.BigInteger(), nullable=False, comment="duration of these steps in microseconds"),
        sa.PrimaryKeyConstraint("tenant", "scope", "agent", "hour"),
        schema=generation,
        comment="What agents used of language models per tenant, scope, agent and hour; failed attempts count, too.",
    )  # fmt: skip
