/*
 * What Prometheus reads: the text format 0.0.4, from what smss has counted. docs/metrics.md lists
 * every metric. No I/O but writing to OUT.
 */
#ifndef MUSESS_METRICS_TEXT_H
#define MUSESS_METRICS_TEXT_H

#include "messages.h"

#include <stdio.h>

/* Every metric of musess's own. */
void metrics_write(FILE *out, const struct msg_stats *stats);

/* windows_exporter's metrics of a session host, of COUNT sessions. */
void metrics_write_windows(
    FILE *out, const struct msg_stats *stats, const struct msg_mt_session *sessions, size_t count);

/* TEXT as it stands between the quotation marks of a label. */
void metrics_write_label(FILE *out, const char *text);

#endif
