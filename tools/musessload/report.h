/*
 * Reports: what a summary says, for people and for programs. The page (report-html.c) is made of
 * the same JSON document, with more in it.
 */
#ifndef MUSESS_LOAD_REPORT_H
#define MUSESS_LOAD_REPORT_H

#include "summary.h"
#include "threshold.h"

#include <jansson.h>
#include <stdio.h>

/* The tables for people; `run` ends with them. */
void report_text(FILE *out, struct summary *summary);

/* The document of `report --json`, with what came of COUNT thresholds. A new reference; NULL where
   memory is short. */
json_t *report_json(struct summary *summary, const struct threshold *thresholds, size_t count);

/* A line for each metric that was measured; times in microseconds. */
void report_csv(FILE *out, struct summary *summary);

/* HdrHistogram's percentile text of a metric, in milliseconds. It has no line of buckets: the
   distribution is exact. */
void report_hdr(FILE *out, struct summary *summary, unsigned metric);

/* The page. Returns 0, or -1 where memory is short. */
int report_html(
    FILE *out, struct summary *summary, const struct threshold *thresholds, size_t count);

/* The sub-commands; ARGV[0] is their name. They return the exit status. */
int report_main(int argc, char **argv);
int compare_main(int argc, char **argv);

#endif
