/*
 * Whether two sets of samples differ by more than chance. Pure, and always the same for the same
 * samples: what is drawn at random is drawn from a fixed seed.
 *
 * The tests take samples for independent of one another, but for stats_series_test. Those of one run are not quite: a
 * server that is slow now is slow for the next session too. Two runs on two days differ by more than what happens
 * within either, of which these tests know nothing.
 */
#ifndef MUSESS_LOAD_STATS_H
#define MUSESS_LOAD_STATS_H

#include <stddef.h>
#include <stdint.h>

/* The Mann-Whitney test (Wilcoxon's rank sum) of two sorted sets, neither empty. */
struct rank_test {
	double u;         /* pairs of which A's is the larger; ties count half */
	double p;         /* two-sided, by the normal approximation, corrected for ties and
	                     continuity: good from 8 samples each */
	double b_smaller; /* how likely one of B is below one of A: 0.5 where they are alike */
};
struct rank_test stats_rank_test(
    const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count);

/* A confidence interval of B's percentile minus A's, of two sorted sets, neither empty. */
struct interval {
	double low, high;
};
struct interval stats_percentile_difference(const uint64_t *a, size_t a_count, const uint64_t *b,
    size_t b_count, double percent, double confidence);

/* How likely shares as different as A of A_COUNT and B of B_COUNT are where both have the same
   cause: Fisher's exact test, two-sided. */
double stats_share_test(uint64_t a, uint64_t a_count, uint64_t b, uint64_t b_count);

/* How likely means as different as those of A and B are where both are drawn from one normal distribution:
   Student's test, two-sided. Neither is empty, and both together have more than two figures. */
double stats_mean_test(const double *a, size_t a_count, const double *b, size_t b_count);

/*
 * The same of two series, of which what follows one another may be alike. Each counts as so many independent figures as
 * its mean scatters like, by how much one figure has of the one before (a series that is autoregressive of the first
 * order); and the same has to hold of the means of 2, 4, 8 ... in a row, in which slower changes show. 0 where the series
 * are too short to tell. Destroys them.
 */
double stats_series_test(double *a, size_t a_count, double *b, size_t b_count);

#endif
