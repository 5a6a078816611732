/*
 * A summary over time, for pictures: counted into bins here, so that a page is as small for a
 * hundred thousand sessions as for a hundred. No I/O.
 */
#ifndef MUSESS_LOAD_TIMELINE_H
#define MUSESS_LOAD_TIMELINE_H

#include "summary.h"

#include <jansson.h>

/*
 * A new reference; NULL where memory is short. Times are microseconds:
 *
 *   width        of a bin; duration: of all
 *   planned[], started[], reached[]   how many in each bin; reached: those that did not fail later
 *   live[]       how many sessions there were on the average of each bin
 *   missed[]     starts, by their planned time
 *   errors{KIND: []}                  by the time at which the session ended
 *   heat{width, duration, steps, first, rows, cells[[bin, row, count]]}   total, by the start, in
 *                bins of its own up to the last start: row R has the times from
 *                2^((first + R) / steps) on
 */
json_t *timeline_json(struct summary *summary);

/* A metric's percentiles, [1 / (1 - p), microseconds] each, p growing as HdrHistogram's plots do:
   eight for each half of what is left, up to the largest sample. */
json_t *timeline_curve(struct dist *dist);

#endif
