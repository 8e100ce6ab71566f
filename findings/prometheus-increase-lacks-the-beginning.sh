#!/usr/bin/env bash
# Package:  Debian prometheus 2.42.0+ds-5+deb12u1 (promtool)
# Expected: a counter that appears with 5 and stays there rose by 5: increase() over that time is 5.
# Seen:     increase() knows samples only, and the first one is where it begins: the first cost of each new service is
#           never counted.
# Output:   increase 0, last value 5
# Here:     rules, alerts and panels subtract the ledger's totals (deploy/prometheus/tests/recording.yaml);
#           tests/it/deploy_prometheus.rs::the_unit_tests_of_the_rules_pass
set -euo pipefail
expected='increase 0, last value 5'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get --quiet=2 download prometheus=2.42.0+ds-5+deb12u1
dpkg-deb --extract prometheus_*.deb .
cat > test.yaml <<'END'
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - { series: cost_usd_total, values: "_x3 5 5 5 5" }
    promql_expr_test:
      - { expr: "increase(cost_usd_total[5m])", eval_time: 2m, exp_samples: [{ labels: "{}", value: 0 }] }
      - { expr: "sum(cost_usd_total)", eval_time: 2m, exp_samples: [{ labels: "{}", value: 5 }] }
END
if usr/bin/promtool test rules test.yaml > report.txt 2>&1; then
  seen='increase 0, last value 5'
else
  seen=$(cat report.txt)
fi
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
