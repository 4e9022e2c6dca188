"""The shops on Django: one project, in which `BENCH_VIEW` names what answers Payme."""
