#!/usr/bin/env python3
"""Writes the dashboard: what is asked here, dashboard.json beside it is made of it. Needs Python 3.9 or newer and nothing else.

    grafana/dashboard.py            writes grafana/dashboard.json
    grafana/dashboard.py --stdout   prints it instead

In an expression <F> stands for the agents that were chosen above the panels, <S> for these and the services that were chosen:
`up<F>` becomes `up{job=~"$job", instance=~"$instance"}`, and <S, outcome="error"> is that with one more label.
"""

import json
import re
import sys
from pathlib import Path

FILTERS = {"F": 'job=~"$job", instance=~"$instance"', "S": 'job=~"$job", instance=~"$instance", service=~"$service"'}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RUNBOOKS = "https://github.com/lead-factory/lead-factory-metrics/tree/main/docs/runbooks"
GREEN, YELLOW, ORANGE, RED = "green", "yellow", "orange", "red"
# The alert threshold, the gate threshold and the limit, as they are by default.
OF_A_BUDGET = [(None, GREEN), (80, YELLOW), (90, ORANGE), (100, RED)]
USD = {"unit": "currencyUSD", "decimals": 2}


def selected(expression):
    return re.sub(r"<([FS])([^>]*)>", lambda found: "{" + FILTERS[found[1]] + found[2] + "}", " ".join(expression.split()))


def durable(metric, filters):
    """By how much a counter of the ledger grew in the chosen range. It does not restart with the process, so what it is now less what
    it was then is exact, and a series that was not there then was 0. But where the whole agent was not looked at then, nothing is known
    of the time before its first sample."""
    return f"""({metric}{filters} - ({metric}{filters} offset $__range
        or (0 * {metric}{filters} and on (job, instance) lead_factory_ledger_up<F> offset $__range)
        or min_over_time({metric}{filters}[$__range])))"""


def counted(metric, filters):
    """By how much a counter of the process grew in the chosen range. Its series appear when there is something to count, and
    increase() would leave out what they begin with."""
    return f"((increase({metric}{filters}[$__range]) and {metric}{filters} offset $__range) or {metric}{filters})"


def p(quantile, by, metric, filters):
    return f"histogram_quantile({quantile}, sum by ({by}) (rate({metric}_bucket{filters}[$__rate_interval])))"


# === Panels ===


def targets(queries, instant=False, table=False):
    return [
        {
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": selected(expression),
            "legendFormat": legend,
            "refId": "ABCDEFGH"[index],
            "range": not instant,
            "instant": instant,
            "format": "table" if table else "time_series",
        }
        for index, (legend, expression) in enumerate(queries)
    ]


def panel(kind, size, title, description, queries, field, options, overrides=(), instant=False, transformations=None):
    field = {"mappings": [], **field}
    steps = field.pop("steps", [(None, GREEN)])
    field["thresholds"] = {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in steps]}
    made = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"w": size[0], "h": size[1]},
        "targets": targets(queries, instant, kind == "table"),
        "fieldConfig": {"defaults": field, "overrides": list(overrides)},
        "options": options,
    }
    if transformations:
        made["transformations"] = transformations
    return made


def reduced():
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(title, description, expression, field, instant=False, width=4):
    options = {
        "colorMode": "value", "graphMode": "none" if instant else "area", "justifyMode": "auto", "orientation": "auto",
        "textMode": "auto", "wideLayout": True, "showPercentChange": False, "reduceOptions": reduced(),
    }
    field = {"color": {"mode": "thresholds"}, **field}
    return panel("stat", (width, 4), title, description, [(title, expression)], field, options, instant=instant)


def gauge(title, description, expression):
    options = {
        "minVizHeight": 75, "minVizWidth": 75, "orientation": "auto", "showThresholdLabels": False, "showThresholdMarkers": True,
        "sizing": "auto", "reduceOptions": reduced(),
    }
    field = {
        "unit": "percent", "decimals": 1, "min": 0, "max": 120, "noValue": "no budget", "color": {"mode": "thresholds"},
        "steps": OF_A_BUDGET,
    }
    return panel("gauge", (4, 4), title, description, [(title, expression)], field, options)


def bars(title, description, queries, field, size=(12, 8)):
    options = {
        "displayMode": "gradient", "minVizHeight": 16, "minVizWidth": 8, "maxVizHeight": 300, "namePlacement": "auto", "sizing": "auto",
        "orientation": "horizontal", "showUnfilled": True, "valueMode": "color", "reduceOptions": reduced(),
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
    }
    return panel("bargauge", size, title, description, queries, {"min": 0, "color": {"mode": "thresholds"}, **field}, options, instant=True)


def graph(title, description, queries, field, size=(12, 8), stacked=False, lines_at_thresholds=False, dashed=None, other_unit=None):
    custom = {
        "drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 30 if stacked else 8, "gradientMode": "none",
        "showPoints": "auto", "pointSize": 5, "stacking": {"mode": "normal" if stacked else "none", "group": "A"}, "axisPlacement": "auto",
        "axisLabel": "", "scaleDistribution": {"type": "linear"}, "spanNulls": False, "insertNulls": False, "barAlignment": 0,
        "thresholdsStyle": {"mode": "dashed" if lines_at_thresholds else "off"}, "axisBorderShow": False, "axisColorMode": "text",
        "axisCenteredZero": False, "hideFrom": {"legend": False, "tooltip": False, "viz": False},
    }
    options = {
        "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": False},
    }
    overrides = []
    if dashed:
        overrides.append(override("byRegexp", dashed, {
            "custom.stacking": {"mode": "none", "group": "B"}, "custom.fillOpacity": 0, "custom.lineWidth": 2,
            "custom.lineStyle": {"fill": "dash", "dash": [10, 10]}, "color": {"mode": "fixed", "fixedColor": RED},
        }))
    if other_unit:
        overrides.append(override("byRegexp", other_unit[0], {"unit": other_unit[1], "custom.axisPlacement": "right"}))
    field = {"min": 0, "color": {"mode": "palette-classic"}, **field, "custom": custom}
    return panel("timeseries", size, title, description, queries, field, options, overrides)


def states(title, description, queries, names, size=(24, 6)):
    options = {
        "mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 80, "lineWidth": 0, "hideFrom": {"legend": False, "tooltip": False, "viz": False}}
    field = {"unit": "none", "color": {"mode": "thresholds"}, "custom": custom, **names}
    return panel("state-timeline", size, title, description, queries, field, options)


def table(title, description, columns, order, field, size=(24, 8), overrides=(), sort=None):
    """Columns are instant queries, each with the name of its value; `order` is the labels to show, and how to call them."""
    values = {f"Value #{'ABCDEFGH'[index]}" if len(columns) > 1 else "Value": name for index, (name, _) in enumerate(columns)}
    shown = [*order, *values]
    options = {
        "showHeader": True, "cellHeight": "sm", "footer": {"show": False, "countRows": False, "fields": "", "reducer": ["sum"]},
        "sortBy": [{"displayName": sort, "desc": True}] if sort else [],
    }
    transformations = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: index for index, name in enumerate(shown)},
            "renameByName": {**{label: name for label, name in order.items() if label != name}, **values},
        }},
    ]
    field = {**field, "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}}
    return panel("table", size, title, description, columns, field, options, overrides, instant=True, transformations=transformations)


def override(matcher, name, properties):
    return {"matcher": {"id": matcher, "options": name}, "properties": [{"id": key, "value": value} for key, value in properties.items()]}


def states_of(zero, one):
    """How 0 and 1 are shown: text and color of each."""
    names = {str(value): {"text": text, "color": color, "index": value} for value, (text, color) in enumerate((zero, one))}
    return {"mappings": [{"type": "value", "options": names}], "steps": [(None, zero[1]), (1, one[1])]}


GATE = states_of(("open", GREEN), ("CLOSED", RED))
LEDGER = states_of(("DOWN", RED), ("recording", GREEN))


# === What is asked ===

COST = durable("lead_factory_cost_usd_total", "<S>")
CREDIT = durable("lead_factory_credit_usd_total", "<S>")

OVERVIEW = [
    stat("Cost today", """What the chosen services cost today, charges less credits, in the agents' budget time zone. Starts at 0 at their
midnight. More than you expect: see which service it is in the row Services.""",
         "sum(lead_factory_daily_cost<S>) or vector(0)", USD),
    stat("Cost this month", """What the chosen services cost this calendar month, charges less credits, in the agents' budget time zone. This
is the figure to compare with the providers' bills.""", "sum(lead_factory_monthly_cost<S>) or vector(0)", USD),
    stat("Cost in the chosen range", """Charges less credits recorded within the time range chosen at the top right. For an agent that
Prometheus did not know at its beginning, from its first sample on.""",
         f"(sum({COST}) or vector(0)) - (sum({CREDIT}) or vector(0))", USD, instant=True),
    stat("Spending now, USD an hour", """Charges of the last moments, as if they went on for an hour. A jump that nobody planned: look for the
service and the operation in the row Services, and stop its workers or close the gate (docs/gate.md).""",
         "3600 * sum(rate(lead_factory_cost_usd_total<S>[$__rate_interval])) or vector(0)", USD),
    gauge("Daily budget used", """Cost of the day in percent of the daily limit, of the agent where it is the most. The gate closes at 90 % by
default. Near it: raise the limit or slow down before the gate decides.""",
          'max(lead_factory_budget_utilization<F, period="daily">)'),
    gauge("Monthly budget used", """Cost of the month in percent of the monthly limit, of the agent where it is the most. The gate closes at
90 % by default, and then stays closed until the month ends, the limit is raised or a credit comes in.""",
          'max(lead_factory_budget_utilization<F, period="monthly">)'),
    stat("Scaling gate", """CLOSED: at least one agent tells its workers to stop what is not critical. GET /scaling-gate/status of that agent
says why; the row Gate shows which one.""", "max(lead_factory_scaling_gate_active<F>)", {"unit": "none", **GATE}),
    stat("Cost is recorded", """DOWN: at least one agent cannot write its ledger and answers writes with 503; workers have to send their events
again. GET /health of that agent says why; see the runbook LedgerNotWriting.""",
         "min(lead_factory_ledger_up<F>)", {"unit": "none", **LEDGER}),
    stat("Since the last event", """How long ago any chosen agent recorded cost. Long at a time of work: workers have stopped, or do not report
what they spend; see the runbook NoEvents.""", "time() - max(lead_factory_ledger_last_event_timestamp_seconds<F>)",
         {"unit": "s", "decimals": 0, "noValue": "no event yet", "steps": [(None, GREEN), (900, YELLOW), (3600, RED)]}),
    stat("Events not taken", """Events of the chosen range that were refused: wrong (rejected), or an id that was used before with other content
(conflict). Their cost is missing everywhere here. Look for 422 and 409 in the log of the workers.""",
         f"""sum({counted("lead_factory_events_total", '<F, result=~"conflict|rejected">')}) or vector(0)""",
         {"unit": "short", "decimals": 0, "steps": [(None, GREEN), (1, ORANGE)]}, instant=True),
    stat("Agents", "How many of the chosen agents Prometheus sees now. Fewer than you run: see the panel beside this one.",
         "count(lead_factory_ledger_up<F>) or vector(0)", {"unit": "short", "decimals": 0}),
    stat("Agents gone", """Agents that were there within the last hour and are not now. Right after scaling down this is fine; otherwise their
workers hold back what they spend: see the runbook AgentDown.""",
         """count(count by (job, instance) (last_over_time(lead_factory_ledger_up<F>[1h]))
            unless on (job, instance) lead_factory_ledger_up<F>) or vector(0)""",
         {"unit": "short", "decimals": 0, "steps": [(None, GREEN), (1, RED)]}),
]

MONEY_COLUMNS = "by (instance, budget, period)"
BUDGETS = [
    table("Budgets", """Each budget of each agent in its current period: its limit, what is spent, what open reservations set aside, what is left, how
much of it is used, and what the period will cost at its pace so far (not to be believed in a period's first hour). A negative rest or a
forecast over the limit: raise the limit or spend less, before the gate stops the work.""",
          [("limit", f"max {MONEY_COLUMNS} (lead_factory_budget_limit_usd<F>)"),
           ("spent", f"max {MONEY_COLUMNS} (lead_factory_budget_spent_usd<F>)"),
           ("set aside", f"max {MONEY_COLUMNS} (lead_factory_budget_reserved_usd<F>)"),
           ("left", f"""max {MONEY_COLUMNS} (lead_factory_budget_limit_usd<F> - lead_factory_budget_spent_usd<F>
              - lead_factory_budget_reserved_usd<F>)"""),
           ("used", f"max {MONEY_COLUMNS} (100 * lead_factory_budget_spent_usd<F> / (lead_factory_budget_limit_usd<F> > 0))"),
           ("forecast", f"max {MONEY_COLUMNS} (lead_factory_budget_forecast_usd<F>)")],
          {"budget": "budget", "period": "period", "instance": "agent"}, USD, sort="used", overrides=[
              override("byName", "used", {
                  "unit": "percent", "decimals": 1, "color": {"mode": "thresholds"}, "custom.cellOptions": {"type": "color-text"},
                  "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in OF_A_BUDGET]},
              })]),
    graph("Global budgets: used", """Cost of the current period in percent of the global limits. The lines are the thresholds as they are by default: 80 %
warns, 90 % closes the gate, 100 % is the limit. A line that will reach the next threshold before its period ends needs a decision now.""",
          [("{{period}} {{instance}}", "max by (period, instance) (lead_factory_budget_utilization<F>)")],
          {"unit": "percent", "decimals": 1, "steps": OF_A_BUDGET, "noValue": "no global budget"}, lines_at_thresholds=True),
    graph("Budgets of services: used", """Cost of the current period in percent of the limits of single services. At 100 % checks and reservations
of this service are refused; the others go on. Raise its cap or have its workers spend less.""",
          [("{{budget}} {{instance}}", "max by (budget, instance) (lead_factory_service_budget_utilization<S>)")],
          {"unit": "percent", "decimals": 1, "steps": OF_A_BUDGET, "noValue": "no budget of a service"}, lines_at_thresholds=True),
    graph("Daily budgets: spent and set aside", """What is spent of each daily budget, summed up over the chosen agents, and what open reservations
set aside on top of it; dashed, the limits. Much that is set aside and never spent: workers estimate too high, or do not settle.""",
          [("spent {{budget}}", 'sum by (budget) (lead_factory_budget_spent_usd<F, period="daily">)'),
           ("set aside {{budget}}", 'sum by (budget) (lead_factory_budget_reserved_usd<F, period="daily">)'),
           ("limit {{budget}}", 'sum by (budget) (lead_factory_budget_limit_usd<F, period="daily">)')],
          {**USD, "noValue": "no daily budget"}, dashed="^limit "),
    graph("Forecast", """What each budget's period will cost at its pace so far, in percent of its limit. Over 100 %: the money will not last to the
period's end. In the first hour of a period it jumps about.""",
          [("{{budget}} {{instance}}", """max by (budget, instance) (100 * lead_factory_budget_forecast_usd<F>
              / (lead_factory_budget_limit_usd<F> > 0))""")],
          {"unit": "percent", "decimals": 0, "steps": [(None, GREEN), (100, RED)], "noValue": "no budget"}, lines_at_thresholds=True),
]

SERVICES = [
    graph("Cost of the day by service", """How today's cost came about. It starts at 0 at midnight in the budget time zone; a step down at another
time is a credit. A slope that changed shows when a service began to cost more.""",
          [("{{service}}", "sum by (service) (lead_factory_daily_cost<S>)")], {**USD, "noValue": "no cost today"}, stacked=True),
    bars("Cost of the month by service", """Who gets the money, the largest first. The figure to compare with each provider's bill; where they
differ, look for events that were not taken.""",
         [("{{service}}", "sort_desc(sum by (service) (lead_factory_monthly_cost<S>))")], {**USD, "noValue": "no cost this month"}),
    graph("Spending by service, USD an hour", """Charges as they come in, as if they went on for an hour. What stands out is where to save, or
what runs away. A series that is new counts from its second sample on.""",
          [("{{service}}", "3600 * sum by (service) (rate(lead_factory_cost_usd_total<S>[$__rate_interval]))")], USD, stacked=True),
    table("Most expensive operations of the chosen range", """The twenty operations that were charged the most within the time range chosen at the top
right, without credits. Where to begin when the bill has to come down; GET /costs/daily?by=model and by=worker tell more.""",
          [("charged", f"topk(20, sum by (service, operation) ({COST}))")], {"service": "service", "operation": "operation"}, USD,
          size=(12, 8), sort="charged"),
    bars("Credits of the chosen range", """What was taken back within the time range chosen at the top right. Compare it with the credit notes of
the providers.""", [("{{service}}", f"sum by (service) ({CREDIT}) or on () vector(0)")], USD, size=(8, 8)),
    graph("Usage", """Tokens, pages, seconds and whatever else workers report, a second: the ten largest. Cost that grows without it means dearer
calls, not more of them.""",
          [("{{service}} {{model}} {{kind}}", "topk(10, sum by (service, model, kind) (rate(lead_factory_usage_total<S>[$__rate_interval])))")],
          {"unit": "short", "noValue": "no usage reported"}, size=(16, 8)),
    graph("Paid calls: how long they take", """95th percentile of the durations that workers report. Slow calls cost workers' time; a service that
slows down often fails next.""",
          [("{{service}}", p(0.95, "le, service", "lead_factory_api_call_duration_seconds", "<S>"))], {"unit": "s", "noValue": "no durations reported"}),
    graph("Paid calls: share that failed", """Calls that workers reported with the outcome error, of all they reported. Failed calls are often paid,
too: look at the provider's status page, then at the workers' log.""",
          [("{{service}}", """(sum by (service) (rate(lead_factory_api_call_duration_seconds_count<S, outcome="error">[$__rate_interval]))
              or 0 * sum by (service) (rate(lead_factory_api_call_duration_seconds_count<S>[$__rate_interval])))
              / sum by (service) (rate(lead_factory_api_call_duration_seconds_count<S>[$__rate_interval]))""")],
          {"unit": "percentunit", "noValue": "no durations reported"}),
]

GATE_ROW = [
    states("Scaling gate", """When each agent's gate was closed. A closed time looks up to a minute longer than it was. GET /scaling-gate/history of
the agent says who or what closed it; docs/gate.md says how to override it.""",
           [("{{instance}}", "max by (instance) (max_over_time(lead_factory_scaling_gate_active<F>[$__rate_interval]))")], GATE),
    stat("Closed in the chosen range", """How often gates closed within the time range chosen at the top right, by themselves or by hand. Often: the
budget hovers about its threshold, so raise it or spend less.""", f"""sum({durable("lead_factory_scaling_gate_activations_total", "<F>")}) or vector(0)""",
         {"unit": "short", "decimals": 0}, instant=True),
    graph("Refused by the gate or a budget", """Checks and reservations a second that were refused. This is work that did not happen: decide whether
it should have, and raise the budget that refused it.""",
          [("{{service}} {{operation}}", "sum by (service, operation) (rate(lead_factory_scaling_gate_blocked_total<S>[$__rate_interval])) or on () vector(0)")],
          {"unit": "reqps"}, size=(10, 8)),
    graph("Reservations", """What became of reservations, a second. Denied ones did not fit into a budget. Expired ones were not settled in time:
workers die, or ask for too little time.""",
          [("{{result}}", "sum by (result) (rate(lead_factory_reservations_total<F>[$__rate_interval]))")], {"unit": "ops"}, size=(10, 8)),
    graph("Open reservations", """Reservations that hold money back now, and those that lapsed and may still be settled. Expired ones that only grow:
workers do not settle; their cost is missing unless they report it otherwise.""",
          [("{{state}}", "sum by (state) (lead_factory_reservations_open<F>)")], {"unit": "short"}, size=(24, 7)),
]
# Beside a stat of its line a graph is as high as the line.
GATE_ROW[1]["gridPos"]["h"] = 8

HTTP = [
    graph("Events by result", """Events a second, by what became of them. duplicate is fine (a retry). conflict and rejected are faults of a worker:
their cost is not in the ledger; its log has the answer that says why.""",
          [("{{result}} ({{format}})", "sum by (result, format) (rate(lead_factory_events_total<F>[$__rate_interval]))")], {"unit": "eps"}, size=(8, 8)),
    graph("Requests by status", """Requests a second. 401 and 403: a token is wrong or missing. 422: an event is wrong. 503: not recorded, the worker
has to send it again. 499: the client hung up before its answer.""",
          [("{{http_status}}", "sum by (http_status) (rate(lead_factory_http_requests_total<F>[$__rate_interval]))")], {"unit": "reqps"}, size=(8, 8)),
    graph("Share of requests that fail", """Requests answered with 5xx, of all of an endpoint. Over 1 %: see the runbook HighErrorRate. 503 of /costs
means that the ledger or the queue does not keep up: see the row Agent.""",
          [("{{endpoint}}", """(sum by (endpoint) (rate(lead_factory_http_requests_total<F, http_status=~"5..">[$__rate_interval]))
              or 0 * sum by (endpoint) (rate(lead_factory_http_requests_total<F>[$__rate_interval])))
              / sum by (endpoint) (rate(lead_factory_http_requests_total<F>[$__rate_interval]))""")],
          {"unit": "percentunit", "steps": [(None, GREEN), (0.01, RED)]}, size=(8, 8), lines_at_thresholds=True),
    graph("How long recording takes", """POST requests, from the headers to the answer; the disk's sync is part of it. Slow: look at the commits in the
row Agent, then at the disk.""",
          [(name, p(quantile, "le", "lead_factory_http_request_duration_seconds", '<F, method="POST">'))
           for name, quantile in (("half of them", 0.5), ("99 of 100", 0.99))], {"unit": "s"}),
    graph("How long reading takes", """GET requests, 99 of 100, by endpoint. Groupings by worker, batch, lead or model read the ledger and take time with
the period's events; everything else is answered from memory.""",
          [("{{endpoint}}", p(0.99, "le, endpoint", "lead_factory_http_request_duration_seconds", '<F, method="GET">'))], {"unit": "s"}),
]

AGENT = [
    states("Cost is recorded", """When each agent could write its ledger. While it is DOWN writes are answered 503 and workers keep their events. GET
/health of the agent says why; see the runbook LedgerNotWriting.""",
           [("{{instance}}", "min by (instance) (min_over_time(lead_factory_ledger_up<F>[$__rate_interval]))")], LEDGER),
    graph("How long a commit takes", """One group commit, its sync included: the disk's speed. Tens of milliseconds are usual on network disks. Seconds:
the disk is overloaded or fails.""",
          [(name, p(quantile, "le", "lead_factory_ledger_commit_duration_seconds", "<F>"))
           for name, quantile in (("half of them", 0.5), ("99 of 100", 0.99))], {"unit": "s"}, size=(8, 8)),
    graph("Events in a commit, and in the queue", """How many events share one sync on average, and how many wait for the next. A queue that stays long
ends in 503: the disk does not keep up, so have workers send larger batches.""",
          [("in a commit", """sum(rate(lead_factory_ledger_commit_events_sum<F>[$__rate_interval]))
              / sum(rate(lead_factory_ledger_commit_events_count<F>[$__rate_interval]))"""),
           ("waiting {{instance}}", "max by (instance) (lead_factory_ledger_queue_depth<F>)")], {"unit": "short"}, size=(8, 8)),
    graph("Size of the ledger", """The file and its write-ahead log. It grows by 130 to 225 bytes an event; see that the volume has room for what is to
come, or set retention_days.""", [("{{instance}}", "max by (instance) (lead_factory_ledger_size_bytes<F>)")], {"unit": "bytes"}, size=(8, 8)),
    graph("Exports over OTLP", """Pushes to the collector a second, by signal and result. Failed ones lose telemetry, never cost: look whether the
collector is there, then into the agent's log.""",
          [("{{signal}} {{result}}", "sum by (signal, result) (rate(lead_factory_otlp_exports_total<F>[$__rate_interval])) or on () vector(0)")],
          {"unit": "ops"}, size=(8, 8)),
    graph("Webhook messages", """Deliveries of messages about budgets and the gate, a second: failed is one attempt, which is repeated for a day;
given_up is a message that nobody got. See the runbook WebhookDeliveryFailing.""",
          [("{{result}}", "sum by (result) (rate(lead_factory_webhook_messages_total<F>[$__rate_interval])) or on () vector(0)")],
          {"unit": "ops"}, size=(8, 8)),
    graph("Webhook messages that wait", """Messages that no receiver has taken yet. More than 0 for long: the receiver is down or its URL is wrong.""",
          [("waiting", "sum(lead_factory_webhook_pending<F>) or vector(0)")], {"unit": "short"}, size=(8, 8)),
    graph("CPU and threads", """Cores in use, and threads on the axis at the right. A core in full use without many requests: somebody reads large
groupings (by worker, lead, model) again and again.""",
          [("cores {{instance}}", "sum by (instance) (rate(process_cpu_seconds_total<F>[$__rate_interval]))"),
           ("threads {{instance}}", "max by (instance) (process_threads<F>)")], {"unit": "short"}, size=(8, 8), other_unit=("^threads ", "short")),
    graph("Memory", """Resident memory. It grows with the number of ids that are remembered; docs/capacity.md has figures. Near the container's limit:
raise the limit before the kernel ends the process.""", [("{{instance}}", "max by (instance) (process_resident_memory_bytes<F>)")], {"unit": "bytes"}, size=(8, 8)),
    graph("File descriptors", """Open ones in percent of the limit. Near 100 % new connections wait: raise the limit (LimitNOFILE, ulimit -n), or find who
opens connections and keeps them.""",
          [("{{instance}}", "max by (instance) (100 * process_open_fds<F> / process_max_fds<F>)")],
          {"unit": "percent", "max": 100, "steps": [(None, GREEN), (80, RED)]}, size=(8, 8), lines_at_thresholds=True),
    table("What runs", """Version and environment of each agent, how long it has been up, and whether its last load of the settings was good. REFUSED: the
old settings stay in force and a restart would fail; its log lists the mistakes (runbook SettingsReloadFailed).""",
          [("build", "max by (instance, version, revision, environment) (lead_factory_build_info<F>)"),
           ("up for", "time() - max by (instance) (process_start_time_seconds<F>)"),
           ("settings", "min by (instance) (lead_factory_config_reload_success<F>)")],
          {"instance": "agent", "version": "version", "revision": "revision", "environment": "environment"}, {"unit": "none"}, size=(24, 6),
          overrides=[override("byName", "up for", {"unit": "s"}), override("byName", "build", {"custom.hidden": True}),
                     override("byName", "settings", {"mappings": states_of(("REFUSED", RED), ("good", GREEN))["mappings"]})]),
]

ROWS = [
    ("Overview", OVERVIEW),
    ("Budgets", BUDGETS),
    ("Services", SERVICES),
    ("Gate", GATE_ROW),
    ("HTTP", HTTP),
    ("Agent", AGENT),
]


# === The file ===


def laid_out(rows):
    """Rows from the top, panels from the left; a panel that does not fit begins a line under the highest of the line before."""
    y, panels = 0, []
    for title, content in rows:
        row = {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
        panels.append(row)
        x, y, height = 0, y + 1, 0
        for one in content:
            place = one["gridPos"]
            if x + place["w"] > 24:
                x, y, height = 0, y + height, 0
            panels.append({**one, "description": " ".join(one["description"].split()), "gridPos": {"x": x, "y": y, "w": place["w"], "h": place["h"]}})
            x, height = x + place["w"], max(height, place["h"])
        y += height
    return [{"id": number, **one} for number, one in enumerate(panels, 1)]


def variable(name, label, metric):
    query = f"label_values({metric}, {name})"
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query,
        "query": {"qryType": 1, "query": query, "refId": f"Prometheus-{name}"},
        "refresh": 2, "sort": 1, "regex": "", "multi": True, "includeAll": True, "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]}, "options": [], "hide": 0, "skipUrlSync": False,
    }


def dashboard():
    return {
        "uid": "lead-factory-metrics",
        "title": "Lead factory: cost",
        "description": "What paid calls cost, how far the budgets are used, and how the agent that knows it is doing.",
        "tags": ["cost", "lead-factory"],
        "schemaVersion": 41,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "preload": False,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "weekStart": "",
        "links": [{
            "title": "Runbooks", "type": "link", "icon": "doc", "tooltip": "What to do when", "url": RUNBOOKS, "tags": [],
            "asDropdown": False, "targetBlank": True, "includeVars": False, "keepTime": False,
        }],
        "annotations": {"list": [
            {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
             "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard"},
            # Grafana marks the times when the value is 1. The counter knows of gates that closed and opened between two scrapes.
            {"datasource": SOURCE, "enable": True, "iconColor": RED, "name": "Gate closed", "step": "60s",
             "titleFormat": "Gate closed: {{instance}}",
             "expr": selected("""max by (instance) ((max_over_time(lead_factory_scaling_gate_active<F>[1m])
                + changes(lead_factory_scaling_gate_activations_total<F>[1m])) > bool 0)""")},
        ]},
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "regex": "", "multi": False,
             "includeAll": False, "current": {}, "options": [], "hide": 0, "skipUrlSync": False},
            variable("job", "Job", "lead_factory_build_info"),
            variable("instance", "Agent", selected('lead_factory_build_info{job=~"$job"}')),
            variable("service", "Service", selected("lead_factory_cost_usd_total<F>")),
        ]},
        "panels": laid_out(ROWS),
    }


def main():
    text = json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--stdout"]:
        sys.stdout.write(text)
    elif not sys.argv[1:]:
        Path(__file__).with_name("dashboard.json").write_text(text, encoding="utf-8")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
