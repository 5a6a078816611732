/*
 * What differs between two sides of one or several files of results each: the verdicts of `compare`. No I/O.
 *
 * Each metric has two tests. Of the middle: do the sessions of one side rank below those of the other
 * (Mann-Whitney)? Of the tail: has one side more than its share of the slowest twentieth of all (Fisher's exact
 * test of those above the 95th percentile of both together)? Neither takes anything for granted of how times are
 * distributed, nor needs many samples; the tail is not tested where that twentieth has fewer than
 * JUDGE_ENOUGH sessions. The shares of failed and of missed starts have one test each.
 *
 * These take sessions for independent of one another. Those that follow one another are alike where a server is
 * busy for a while, so a difference also has to be larger than what so few independent sessions as they are worth
 * differ by (stats_series_test, of their ranks, of who is among the slowest, of who failed, in the order in which they
 * began). That knows the noise within a run. Where a side has several files, it has to be larger than what files of one
 * side differ by instead: Student's test of the files' own percentiles (of their logarithms) and shares. A test's p is
 * the larger one of both.
 *
 * All tests of a comparison are one family, corrected by Holm's method: that of a hundred comparisons of the same
 * thing at most one finds anything at all, whatever the number of metrics. Of one file a side that holds as long as runs
 * differ by no more than what happens within them, of several as long as runs are independent of one another.
 */
#ifndef MUSESS_LOAD_COMPARE_JUDGE_H
#define MUSESS_LOAD_COMPARE_JUDGE_H

#include "stats.h"
#include "summary.h"

#define JUDGE_LEVEL 0.01
enum { JUDGE_ENOUGH = 8 }; /* samples of each side: for the rank test's approximation */

enum verdict { SAME, BETTER, WORSE, MIXED, TOO_FEW };

/* One side. A zeroed struct has no files. */
struct side {
	struct summary *files; /* one for each */
	size_t count;
	struct dist metric[METRIC_COUNT]; /* of all files */
};

/* A test. */
struct finding {
	bool made;
	double
	    p; /* how likely so much of a difference is where there is none, by this test alone */
	double family; /* by all tests of the comparison: what is judged by */
	int direction; /* 1 where B has more (takes longer), -1 less */
};

/* A metric. */
struct change {
	struct dist *a, *b;
	double percentile[2][2]; /* p50 and p95 of A, and of B */
	struct rank_test rank;
	struct finding finding[2]; /* of the middle, of the tail */
	enum verdict verdict;
	const char *where; /* "", or the only percentile that changed */
};

/* Failures or misses: less is better. */
struct share {
	const char *name;
	uint64_t count[2], of[2];
	struct finding finding;
	enum verdict verdict;
};

enum { SHARES = 2 };
struct comparison {
	struct change change[METRIC_COUNT]; /* that of METRIC_HELD is not judged */
	struct share share[SHARES];
};

/* An empty summary at the side's end, to read a file into, with its series; NULL: memory is short. */
struct summary *side_add(struct side *side);

/* Puts the files' samples together and their series in order, when all are there. Returns 0, or -1 where memory is
   short. */
int side_pool(struct side *side);

void side_free(struct side *side);

/* Compares A with B, both pooled. The comparison points into them. Returns 0, or -1 where memory is short. */
int judge(struct comparison *comparison, struct side sides[2]);

#endif
