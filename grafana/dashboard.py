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
# Grafana's currencies count in thousands (1,995.01 is $2.00K), and its fixed decimals are too many or too few. This unit shows what is
# there, up to so many: 1,995.01 and 0.004. Titles say that it is USD. Checked by check_money.cjs.
USD = {"unit": "locale", "decimals": 6}


def selected(expression):
    return re.sub(r"<([FS])([^>]*)>", lambda found: "{" + FILTERS[found[1]] + found[2] + "}", " ".join(expression.split()))


def durable(metric, filters, window="$__range"):
    """By how much a counter of the ledger grew in the window. It does not restart with the process, so what it is now less what it was then
    is exact, and a series that was not there then was 0: the first charge of a service counts, which increase() and rate() leave out.
    But where the whole agent was not looked at then, nothing is known of the time before its first sample."""
    return f"""({metric}{filters} - ({metric}{filters} offset {window}
        or (0 * {metric}{filters} and on (job, instance) lead_factory_ledger_up<F> offset {window})
        or min_over_time({metric}{filters}[{window}])))"""


def per_second(metric, filters):
    """How fast a counter of the ledger grows."""
    return f"1000 * {durable(metric, filters, '$__rate_interval')} / $__rate_interval_ms"


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
MODELS = durable("lead_factory_model_cost_usd_total", "<S>")

OVERVIEW = [
    stat("Cost today, USD", """Cost of the chosen services today, charges less credits, in the agents' budget time zone. Higher than
you expect: find the service in the row Services.""",
         "sum(lead_factory_daily_cost<S>) or vector(0)", USD),
    stat("Cost this month, USD", """Cost of the chosen services this calendar month, charges less credits, in the agents' budget time
zone. Compare it with the providers' bills.""", "sum(lead_factory_monthly_cost<S>) or vector(0)", USD),
    stat("Cost in the chosen range, USD", """Charges less credits recorded in the time range at the top right. An agent that
Prometheus did not know at its start counts from its first sample.""",
         f"(sum({COST}) or vector(0)) - (sum({CREDIT}) or vector(0))", USD, instant=True),
    stat("Spending now, USD per hour", """Current charges, extrapolated to an hour. On an unplanned jump, find the service and
operation in the row Services, then stop its workers or close the gate (docs/gate.md).""",
         f"3600 * sum({per_second('lead_factory_cost_usd_total', '<S>')}) or vector(0)", USD),
    gauge("Daily budget used", """Cost of the day in percent of the daily limit, for the agent where it is highest. The gate
closes at 90 % by default. Near it: raise the limit or slow down before the gate decides.""",
          'max(lead_factory_budget_utilization<F, period="daily">)'),
    gauge("Monthly budget used", """Cost of the month in percent of the monthly limit, for the agent where it is highest. The
gate closes at 90 % by default and stays closed until the month ends, the limit is raised or a credit is recorded.""",
          'max(lead_factory_budget_utilization<F, period="monthly">)'),
    stat("Scaling gate", """CLOSED: at least one agent tells its workers to stop work that is not critical. The row Gate shows
which one; its GET /scaling-gate/status says why.""", "max(lead_factory_scaling_gate_active<F>)", {"unit": "none", **GATE}),
    stat("Recording", """DOWN: at least one agent cannot write its ledger and answers writes with 503; workers must resend their
events. GET /health of that agent says why; see the runbook LedgerNotWriting.""",
         "min(lead_factory_ledger_up<F>)", {"unit": "none", **LEDGER}),
    stat("Since the last event", """How long ago any chosen agent recorded cost. Long during working hours: workers have
stopped, or do not report what they spend; see the runbook NoEvents.""", "time() - max(lead_factory_ledger_last_event_timestamp_seconds<F>)",
         {"unit": "s", "decimals": 0, "noValue": "no event yet", "steps": [(None, GREEN), (900, YELLOW), (3600, RED)]}),
    stat("Events refused", """Events refused in the chosen range: invalid (rejected), or an ID already used with different
content (conflict). Their cost is missing in every other panel. Look for 422 and 409 in the workers' logs.""",
         f"""sum({counted("lead_factory_events_total", '<F, result=~"conflict|rejected">')}) or vector(0)""",
         {"unit": "short", "decimals": 0, "steps": [(None, GREEN), (1, ORANGE)]}, instant=True),
    stat("Agents", "How many of the chosen agents Prometheus sees now. Fewer than you run: see the next panel.",
         "count(lead_factory_ledger_up<F>) or vector(0)", {"unit": "short", "decimals": 0}),
    stat("Agents missing", """Agents seen within the last hour but not now. Fine after scaling down; otherwise their workers are
holding back cost: see the runbook AgentDown.""",
         """count(count by (job, instance) (last_over_time(lead_factory_ledger_up<F>[1h]))
            unless on (job, instance) lead_factory_ledger_up<F>) or vector(0)""",
         {"unit": "short", "decimals": 0, "steps": [(None, GREEN), (1, RED)]}),
]

MONEY_COLUMNS = "by (instance, budget, period)"
BUDGETS = [
    table("Budgets, USD", """Each budget of each agent in its current period: limit, spent, reserved, left, percent used, and the
forecast at the pace so far (none in the first hour and 5 % of a period). Nothing left, or a forecast over the limit: raise the
limit or spend less before the gate stops work.""",
          [("limit", f"max {MONEY_COLUMNS} (lead_factory_budget_limit_usd<F>)"),
           ("spent", f"max {MONEY_COLUMNS} (lead_factory_budget_spent_usd<F>)"),
           ("reserved", f"max {MONEY_COLUMNS} (lead_factory_budget_reserved_usd<F>)"),
           ("left", f"""max {MONEY_COLUMNS} (lead_factory_budget_limit_usd<F>
              - clamp_min(lead_factory_budget_spent_usd<F>, 0) - lead_factory_budget_reserved_usd<F>)"""),
           ("used", f"""max {MONEY_COLUMNS} (100 * clamp_min(lead_factory_budget_spent_usd<F>, 0)
              / (lead_factory_budget_limit_usd<F> > 0))"""),
           ("forecast", f"max {MONEY_COLUMNS} (lead_factory_budget_forecast_usd<F>)")],
          {"budget": "budget", "period": "period", "instance": "agent"}, USD, sort="used", overrides=[
              override("byName", "used", {
                  "unit": "percent", "decimals": 1, "color": {"mode": "thresholds"}, "custom.cellOptions": {"type": "color-text"},
                  "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in OF_A_BUDGET]},
              })]),
    graph("Global budgets: used", """Cost of the current period in percent of the global limits. The lines are the default
thresholds: 80 % warns, 90 % closes the gate, 100 % is the limit. A curve that will reach the next line before its period ends
needs a decision now.""",
          [("{{period}} {{instance}}", "max by (period, instance) (lead_factory_budget_utilization<F>)")],
          {"unit": "percent", "decimals": 1, "steps": OF_A_BUDGET, "noValue": "no global budget"}, lines_at_thresholds=True),
    graph("Service budgets: used", """Cost of the current period in percent of the limits of single services. At 100 % checks
and reservations for that service are refused; others continue. Raise its cap or have its workers spend less.""",
          [("{{budget}} {{instance}}", "max by (budget, instance) (lead_factory_service_budget_utilization<S>)")],
          {"unit": "percent", "decimals": 1, "steps": OF_A_BUDGET, "noValue": "no service budget"}, lines_at_thresholds=True),
    bars("Fullest budgets", """The ten budgets of any kind of which most is spent, in percent of their limits. At 100 % what they
cover is refused, unless they only watch. Raise a limit for a while with lead-factory-metrics budgets set.""",
         [("{{budget}} {{instance}}", """topk(10, max by (budget, instance) (100 * clamp_min(lead_factory_budget_spent_usd<F>, 0)
              / (lead_factory_budget_limit_usd<F> > 0)))""")],
         {"unit": "percent", "decimals": 1, "max": 120, "steps": OF_A_BUDGET, "noValue": "no budget"}),
    graph("Limits of their own", """Of budgets with each: how many leads, batches or workers with cost in this period are below
their limit (ok), near it (warning), or have used it up (exhausted). GET /budgets names the twenty fullest.""",
          [("{{budget}} {{state}}", "sum by (budget, state) (lead_factory_budget_keys<F>)")],
          {"unit": "short", "decimals": 0, "noValue": "no budget with each"}),
    graph("Daily budgets: spent and reserved, USD", """Spent from each daily budget, summed over the chosen agents, and held by open
reservations on top; limits are dashed. Much reserved but never spent: workers estimate too high or do not settle.""",
          [("spent {{budget}}", 'sum by (budget) (lead_factory_budget_spent_usd<F, period="daily">)'),
           ("reserved {{budget}}", 'sum by (budget) (lead_factory_budget_reserved_usd<F, period="daily">)'),
           ("limit {{budget}}", 'sum by (budget) (lead_factory_budget_limit_usd<F, period="daily">)')],
          {**USD, "noValue": "no daily budget"}, dashed="^limit "),
    graph("Forecast", """The cost of each budget's period at its pace so far, in percent of its limit. Over 100 %: the budget
will not last. Unreliable in the first hour of a period.""",
          [("{{budget}} {{instance}}", """max by (budget, instance) (100 * lead_factory_budget_forecast_usd<F>
              / (lead_factory_budget_limit_usd<F> > 0))""")],
          {"unit": "percent", "decimals": 0, "steps": [(None, GREEN), (100, RED)], "noValue": "no budget"}, lines_at_thresholds=True),
]

SERVICES = [
    graph("Cost today by service, USD", """How today's cost built up. It starts at 0 at midnight in the budget time zone; a step down
at any other time is a credit. A steeper slope shows when a service became more expensive.""",
          [("{{service}}", "sum by (service) (lead_factory_daily_cost<S>)")], {**USD, "noValue": "no cost today"}, stacked=True),
    bars("Cost this month by service, USD", """Who gets the money, largest first. Compare with each provider's bill; if they differ,
look for refused events.""",
         [("{{service}}", "sort_desc(sum by (service) (lead_factory_monthly_cost<S>))")], {**USD, "noValue": "no cost this month"}),
    graph("Spending by service, USD per hour", """Charges as they arrive, extrapolated to an hour. What stands out is where to
save, or what is running away.""",
          [("{{service}}", f"3600 * sum by (service) ({per_second('lead_factory_cost_usd_total', '<S>')})")], USD, stacked=True),
    table("Most expensive operations in the chosen range, USD", """The twenty operations with the highest charges in the time range
at the top right, without credits. Start here to reduce the bill; GET /costs/daily?by=model and by=worker show more.""",
          [("charged", f"topk(20, sum by (service, operation) ({COST}))")], {"service": "service", "operation": "operation"}, USD,
          size=(12, 8), sort="charged"),
    graph("Spending by model, USD per hour", """Charges by model as they arrive, extrapolated to an hour: the ten that cost most. A
model that nobody chose, or calls without a name of one, stand out here.""",
          [("{{service}} {{model}}", f"topk(10, 3600 * sum by (service, model) ({per_second('lead_factory_model_cost_usd_total', '<S>')}))")],
          {**USD, "noValue": "no charges"}, stacked=True),
    table("Most expensive models in the chosen range, USD", """The twenty models with the highest charges in the time range at the top
right, without credits. An empty name: calls that were recorded without a model. GET /costs?by=model,operation shows more.""",
          [("charged", f"topk(20, sum by (service, model) ({MODELS}))")], {"service": "service", "model": "model"}, USD,
          size=(12, 8), sort="charged"),
    graph("Cost per lead, USD", """Cost attributed to leads divided by their number, in the current day and month, for each
agent. It rises when leads need more calls or dearer ones; GET /costs/leads has median, p95 and the dearest leads.""",
          [("{{period}} {{instance}}", "max by (period, instance) (lead_factory_cost_per_lead<F>)")],
          {**USD, "noValue": "no leads"}, size=(8, 8)),
    bars("Credits in the chosen range, USD", """Credits recorded in the time range at the top right. Compare with the providers'
credit notes.""", [("{{service}}", f"sum by (service) ({CREDIT}) or on () vector(0)")], USD, size=(8, 8)),
    graph("Usage", """Tokens, pages, seconds and whatever else workers report, per second: the ten largest. If cost grows and
usage does not, calls became more expensive.""",
          [("{{service}} {{model}} {{kind}}", f"topk(10, sum by (service, model, kind) ({per_second('lead_factory_usage_total', '<S>')}))")],
          {"unit": "short", "noValue": "no usage reported"}, size=(8, 8)),
    graph("Paid calls: duration", """95th percentile of the durations workers report. A service that slows down often fails
next.""",
          [("{{service}}", p(0.95, "le, service", "lead_factory_api_call_duration_seconds", "<S>"))], {"unit": "s", "noValue": "no durations reported"}),
    graph("Paid calls: error ratio", """Calls reported with the outcome error, as a share of all. Failed calls are often billed
too: check the provider's status page, then the workers' logs.""",
          [("{{service}}", """(sum by (service) (rate(lead_factory_api_call_duration_seconds_count<S, outcome="error">[$__rate_interval]))
              or 0 * sum by (service) (rate(lead_factory_api_call_duration_seconds_count<S>[$__rate_interval])))
              / sum by (service) (rate(lead_factory_api_call_duration_seconds_count<S>[$__rate_interval]))""")],
          {"unit": "percentunit", "noValue": "no durations reported"}),
]

GATE_ROW = [
    states("Scaling gate", """When each agent's gate was closed; a closed period can look up to a minute too long. GET /scaling-
gate/history says who or what closed it; docs/gate.md says how to override it.""",
           [("{{instance}}", "max by (instance) (max_over_time(lead_factory_scaling_gate_active<F>[$__rate_interval]))")], GATE),
    stat("Closed in the chosen range", """How often gates closed in the time range at the top right, automatically or by hand.
Often: spending hovers around the threshold, so raise the budget or spend less.""", f"""sum({durable("lead_factory_scaling_gate_activations_total", "<F>")}) or vector(0)""",
         {"unit": "short", "decimals": 0}, instant=True),
    graph("Refused by the gate or a budget", """Refused checks and reservations per second. This is work that did not happen:
decide whether it should have, and raise the budget that refused it.""",
          [("{{service}} {{operation}}", "sum by (service, operation) (rate(lead_factory_scaling_gate_blocked_total<S>[$__rate_interval])) or on () vector(0)")],
          {"unit": "reqps"}, size=(10, 8)),
    graph("Reservations", """Reservations by result, per second. Denied ones did not fit a budget. Expired ones were not settled
in time: workers die, or their TTL is too short.""",
          [("{{result}}", "sum by (result) (rate(lead_factory_reservations_total<F>[$__rate_interval]))")], {"unit": "ops"}, size=(10, 8)),
    graph("Open reservations", """Reservations that hold money now, and expired ones that can still be settled. If expired ones
only grow, workers do not settle, and their cost is missing unless they report it otherwise.""",
          [("{{state}}", "sum by (state) (lead_factory_reservations_open<F>)")], {"unit": "short"}, size=(24, 7)),
]
# Beside a stat of its line a graph is as high as the line.
GATE_ROW[1]["gridPos"]["h"] = 8

HTTP = [
    graph("Events by result", """Events per second by result. duplicate is fine (a retry). conflict and rejected are worker
errors: their cost is not in the ledger; the worker's log has the answer that says why.""",
          [("{{result}} ({{format}})", "sum by (result, format) (rate(lead_factory_events_total<F>[$__rate_interval]))")], {"unit": "eps"}, size=(8, 8)),
    graph("Requests by status", """Requests per second. 401, 403: wrong or missing token. 422: invalid event. 503: not recorded,
the worker must resend. 499: the client hung up first.""",
          [("{{http_status}}", "sum by (http_status) (rate(lead_factory_http_requests_total<F>[$__rate_interval]))")], {"unit": "reqps"}, size=(8, 8)),
    graph("Error ratio by endpoint", """Requests answered with 5xx as a share of all, by endpoint. Over 1 %: see the runbook
HighErrorRate. 503 on /costs means the ledger or the queue cannot keep up: see the row Agent.""",
          [("{{endpoint}}", """(sum by (endpoint) (rate(lead_factory_http_requests_total<F, http_status=~"5..">[$__rate_interval]))
              or 0 * sum by (endpoint) (rate(lead_factory_http_requests_total<F>[$__rate_interval])))
              / sum by (endpoint) (rate(lead_factory_http_requests_total<F>[$__rate_interval]))""")],
          {"unit": "percentunit", "steps": [(None, GREEN), (0.01, RED)]}, size=(8, 8), lines_at_thresholds=True),
    graph("Write latency", """POST requests from the headers to the answer, including the disk sync. Slow: look at commits in
the row Agent, then at the disk.""",
          [(name, p(quantile, "le", "lead_factory_http_request_duration_seconds", '<F, method="POST">'))
           for name, quantile in (("median", 0.5), ("p99", 0.99))], {"unit": "s"}),
    graph("Read latency (p99)", """GET requests by endpoint. Groupings by worker, batch, lead or model read the ledger and take
time in proportion to the period's events; everything else is answered from memory.""",
          [("{{endpoint}}", p(0.99, "le, endpoint", "lead_factory_http_request_duration_seconds", '<F, method="GET">'))], {"unit": "s"}),
]

AGENT = [
    states("Recording", """When each agent could write its ledger. While it is DOWN, writes get 503 and workers keep their
events. GET /health says why; see the runbook LedgerNotWriting.""",
           [("{{instance}}", "min by (instance) (min_over_time(lead_factory_ledger_up<F>[$__rate_interval]))")], LEDGER),
    graph("Commit latency", """One group commit, including its sync: the speed of the disk. Tens of milliseconds are normal on
network disks. Seconds: the disk is overloaded or failing.""",
          [(name, p(quantile, "le", "lead_factory_ledger_commit_duration_seconds", "<F>"))
           for name, quantile in (("median", 0.5), ("p99", 0.99))], {"unit": "s"}, size=(8, 8)),
    graph("Events per commit, and queued", """How many events share one sync on average, and how many wait for the next. A queue
that stays long ends in 503: the disk cannot keep up, so have workers send larger batches.""",
          [("in a commit", """sum(rate(lead_factory_ledger_commit_events_sum<F>[$__rate_interval]))
              / sum(rate(lead_factory_ledger_commit_events_count<F>[$__rate_interval]))"""),
           ("waiting {{instance}}", "max by (instance) (lead_factory_ledger_queue_depth<F>)")], {"unit": "short"}, size=(8, 8)),
    graph("Ledger size", """The file and its write-ahead log. It grows by 130 to 225 bytes per event: make sure the volume has
room, or set retention_days.""", [("{{instance}}", "max by (instance) (lead_factory_ledger_size_bytes<F>)")], {"unit": "bytes"}, size=(8, 8)),
    graph("OTLP exports", """Pushes to the collector per second, by signal and result. Failures lose telemetry, never cost:
check the collector, then the agent's log.""",
          [("{{signal}} {{result}}", "sum by (signal, result) (rate(lead_factory_otlp_exports_total<F>[$__rate_interval])) or on () vector(0)")],
          {"unit": "ops"}, size=(8, 8)),
    graph("Webhook deliveries", """Deliveries per second: failed is one attempt, retried for a day; given_up is a message nobody
got. See the runbook WebhookDeliveryFailing.""",
          [("{{result}}", "sum by (result) (rate(lead_factory_webhook_messages_total<F>[$__rate_interval])) or on () vector(0)")],
          {"unit": "ops"}, size=(8, 8)),
    graph("Webhook messages pending", """Messages no receiver has accepted yet. Above 0 for long: the receiver is down or its
URL is wrong.""",
          [("waiting", "sum(lead_factory_webhook_pending<F>) or vector(0)")], {"unit": "short"}, size=(8, 8)),
    graph("CPU and threads", """Cores in use, and threads on the right axis. A fully used core with few requests: someone keeps
reading large groupings (by worker, lead, model).""",
          [("cores {{instance}}", "sum by (instance) (rate(process_cpu_seconds_total<F>[$__rate_interval]))"),
           ("threads {{instance}}", "max by (instance) (process_threads<F>)")], {"unit": "short"}, size=(8, 8), other_unit=("^threads ", "short")),
    graph("Memory", """Resident memory. It grows with the number of remembered ids; docs/capacity.md has figures. Near the
container's limit: raise the limit before the kernel kills the process.""", [("{{instance}}", "max by (instance) (process_resident_memory_bytes<F>)")], {"unit": "bytes"}, size=(8, 8)),
    graph("File descriptors", """Open descriptors in percent of the limit. Near 100 % new connections wait: raise the limit
(LimitNOFILE, ulimit -n), or find who keeps connections open.""",
          [("{{instance}}", "max by (instance) (100 * process_open_fds<F> / process_max_fds<F>)")],
          {"unit": "percent", "max": 100, "steps": [(None, GREEN), (80, RED)]}, size=(8, 8), lines_at_thresholds=True),
    table("Builds and settings", """Version and environment of each agent, its uptime, and whether its last settings load
succeeded. REJECTED: the old settings stay in force and a restart would fail; its log lists the errors (runbook
SettingsReloadFailed).""",
          [("build", "max by (instance, version, revision, environment) (lead_factory_build_info<F>)"),
           ("up for", "time() - max by (instance) (process_start_time_seconds<F>)"),
           ("settings", "min by (instance) (lead_factory_config_reload_success<F>)")],
          {"instance": "agent", "version": "version", "revision": "revision", "environment": "environment"}, {"unit": "none"}, size=(24, 6),
          overrides=[override("byName", "up for", {"unit": "s"}), override("byName", "build", {"custom.hidden": True}),
                     override("byName", "settings", {"mappings": states_of(("REJECTED", RED), ("good", GREEN))["mappings"]})]),
]

FLEET_STATE = states_of(("APART", RED), ("takes part", GREEN))
FLEET = [
    states("Part in the fleet", """When each agent had a part in its fleet. APART: the fleet's database does not answer, or another agent speaks
for its ledger; reservations of shared budgets end with what it has in hand. See the runbook FleetDown.""",
           [("{{instance}}", "min by (instance) (min_over_time(lead_factory_fleet_up<F>[$__rate_interval]))")],
           {**FLEET_STATE, "noValue": "no fleet"}),
    graph("Last word of the fleet's database", """How long ago it answered each agent. Seconds are usual; what was spent since is missing in
the fleet's totals. Rising: see the runbook FleetSyncLag.""",
          [("{{instance}}", "max by (instance) (lead_factory_fleet_sync_lag_seconds<F>)")], {"unit": "s", "noValue": "no fleet"}, size=(6, 8)),
    graph("In hand of shared budgets, USD", """What each agent may grant without asking, on top of what is spent and held. Much of it at an
agent that grants nothing comes back within seconds; of one that is gone it stays until fleet forget.""",
          [("{{budget}} {{instance}}", "max by (budget, instance) (lead_factory_fleet_lease_usd<F>)")], {**USD, "noValue": "no fleet"}, size=(6, 8), stacked=True),
    graph("Refused because of the fleet", """Reservations per second that the fleet had no room for, or that could not ask it. Fine at the end of
a budget; else see the runbook FleetLeaseRefusals.""",
          [("{{budget}} {{instance}}", "sum by (budget, instance) (rate(lead_factory_fleet_lease_refusals_total<F>[$__rate_interval]))")],
          {"unit": "reqps", "noValue": "no fleet"}, size=(6, 8)),
    graph("Sums sent to the fleet's database", """Rows per second: days, services and operations whose sum has changed. It grows with names, not with
events. Large for long: an agent sends everything anew, after a restore.""",
          [("{{instance}}", "sum by (instance) (rate(lead_factory_fleet_sync_rows_total<F>[$__rate_interval]))")],
          {"unit": "wps", "noValue": "no fleet"}, size=(6, 8)),
]

ROWS = [
    ("Overview", OVERVIEW),
    ("Budgets", BUDGETS),
    ("Services", SERVICES),
    ("Gate", GATE_ROW),
    ("HTTP", HTTP),
    ("Agent", AGENT),
    ("Fleet", FLEET),
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
