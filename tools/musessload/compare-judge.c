/* The verdicts of `compare` (compare-judge.h). */
#include "compare-judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double percents[] = { 50, 95 };

/* ---- sides ---- */

struct summary *side_add(struct side *side)
{
	struct summary *files = reallocarray(side->files, side->count + 1, sizeof(*files));

	if (!files)
		return NULL;
	side->files = files;
	files[side->count] = (struct summary){ .with_series = true };
	return &files[side->count++];
}

/* A pair of a summary's series, by when it began. */
static int by_place(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int by_plan(const void *a, const void *b)
{
	const struct summary_point *x = a, *y = b;

	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	return (x->planned > y->planned) - (x->planned < y->planned);
}

int side_pool(struct side *side)
{
	int status = 0;

	for (size_t f = 0; f < side->count; f++) {
		struct summary *file = &side->files[f];

		if (file->point_count)
			qsort(file->points, file->point_count, sizeof(*file->points), by_plan);
		for (unsigned i = 0; i < METRIC_COUNT; i++) {
			struct dist *from = &file->metric[i], *series = &file->series[i];

			for (size_t k = 0; k < dist_count(from); k++)
				status |= dist_add(&side->metric[i], dist_samples(from)[k]);
			if (series->count)
				qsort(series->samples, series->count / 2, 2 * sizeof(uint64_t),
				    by_place);
		}
	}
	return status;
}

void side_free(struct side *side)
{
	for (size_t f = 0; f < side->count; f++)
		summary_free(&side->files[f]);
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		dist_free(&side->metric[i]);
	free(side->files);
	*side = (struct side){ 0 };
}

/* ---- what files of one side differ by ---- */

/* A figure of a file, of METRIC or of share METRIC. False where the file does not have it. */
typedef bool figure(struct summary *file, unsigned metric, double percent, double *value);

static bool log_percentile(struct summary *file, unsigned metric, double percent, double *value)
{
	struct dist *d = &file->metric[metric];

	*value = log(fmax(1, (double)dist_percentile(d, percent)));
	return dist_count(d) > 0;
}

static bool share_of_file(struct summary *file, unsigned share, double percent, double *value)
{
	(void)percent;
	*value = share ? summary_missed_ratio(file) : summary_fail_ratio(file);
	return share ? file->started + file->missed > 0 : file->ok + file->failed > 0;
}

/* The p of the files, of which there are more than one a side; ALL has room for as many as there are. -1: there are not
   enough. */
static double test_files(
    struct side sides[2], double *all, figure *of, unsigned metric, double percent)
{
	size_t counts[2] = { 0, 0 }, used = 0;

	for (int s = 0; s < 2; s++)
		for (size_t f = 0; f < sides[s].count; f++)
			if (of(&sides[s].files[f], metric, percent, &all[used])) {
				counts[s]++;
				used++;
			}
	if (used <= 2 || !counts[0] || !counts[1])
		return -1;
	return stats_mean_test(all, counts[0], all + counts[0], counts[1]);
}

/* ---- what follows one another ---- */

static size_t count_above(struct dist *d, uint64_t value)
{
	const uint64_t *samples = dist_samples(d);
	size_t low = 0, high = dist_count(d);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (samples[middle] > value)
			high = middle;
		else
			low = middle + 1;
	}
	return dist_count(d) - low;
}

/* What a test makes of a sample: its rank among those of both sides (twice), or whether it is above a limit. */
struct scoring {
	struct dist *a, *b;
	bool tail;
	uint64_t limit;
};

static double score(const struct scoring *s, uint64_t value)
{
	size_t all = dist_count(s->a) + dist_count(s->b);
	size_t above = count_above(s->a, value) + count_above(s->b, value), from = all;

	if (s->tail)
		return value > s->limit;
	if (value)
		from = count_above(s->a, value - 1) + count_above(s->b, value - 1);
	return (double)(2 * all - above - from);
}

/* A metric's scores in the order in which the sessions began. Returns how many. */
static size_t put_scores(
    const struct side *side, unsigned metric, const struct scoring *s, double *to)
{
	size_t count = 0;

	for (size_t f = 0; f < side->count; f++) {
		const struct dist *series = &side->files[f].series[metric];

		for (size_t k = 1; k < series->count; k += 2)
			to[count++] = score(s, series->samples[k]);
	}
	return count;
}

/* 1 for each session that failed, or start that was missed, and 0 for each other. */
static size_t put_share(const struct side *side, unsigned share, double *to)
{
	size_t count = 0;

	for (size_t f = 0; f < side->count; f++)
		for (size_t i = 0; i < side->files[f].point_count; i++) {
			const struct summary_point *p = &side->files[f].points[i];

			if (share)
				to[count++] = p->missed;
			else if (!p->missed && p->error != LOAD_INTERRUPTED)
				to[count++] = p->error != LOAD_OK;
		}
	return count;
}

/* The p of a metric that runs, or else sessions in a row, allow for. */
static double test_noise(
    struct side sides[2], double *room, unsigned metric, const struct scoring *s)
{
	double p = test_files(sides, room, log_percentile, metric, percents[s->tail]);
	size_t n, m;

	if (p >= 0)
		return p;
	n = put_scores(&sides[0], metric, s, room);
	m = put_scores(&sides[1], metric, s, room + n);
	return stats_series_test(room, n, room + n, m);
}

static double test_share_noise(struct side sides[2], double *room, unsigned share)
{
	double p = test_files(sides, room, share_of_file, share, 0);
	size_t n, m;

	if (p >= 0)
		return p;
	n = put_share(&sides[0], share, room);
	m = put_share(&sides[1], share, room + n);
	return stats_series_test(room, n, room + n, m);
}

/* ---- tests ---- */

/* The 95th percentile of both together: the smallest value of either that so many do not exceed. */
static uint64_t pooled_percentile(struct dist *a, struct dist *b)
{
	size_t all = dist_count(a) + dist_count(b), i = 0, j = 0;
	const uint64_t *x = dist_samples(a), *y = dist_samples(b);
	uint64_t value = 0;

	for (size_t k = (all * 95 + 99) / 100; k > 0; k--)
		if (j == dist_count(b) || (i < dist_count(a) && x[i] <= y[j]))
			value = x[i++];
		else
			value = y[j++];
	return value;
}

static struct finding test_tail(struct dist *a, struct dist *b)
{
	uint64_t limit = pooled_percentile(a, b);
	size_t n = dist_count(a), m = dist_count(b);
	size_t slow_a = count_above(a, limit), slow_b = count_above(b, limit);
	double share_a = (double)slow_a / (double)n, share_b = (double)slow_b / (double)m;

	return (struct finding){ .made = (n + m) / 20 >= JUDGE_ENOUGH,
		.p = stats_share_test(slow_a, n, slow_b, m),
		.direction = (share_b > share_a) - (share_b < share_a) };
}

static void test_metric(struct change *c, struct side sides[2], double *room, unsigned metric)
{
	struct dist *a = &sides[0].metric[metric], *b = &sides[1].metric[metric];

	*c = (struct change){ .a = a, .b = b, .verdict = TOO_FEW, .where = "" };
	for (int i = 0; i < 2; i++) {
		c->percentile[0][i] = (double)dist_percentile(a, percents[i]);
		c->percentile[1][i] = (double)dist_percentile(b, percents[i]);
	}
	if (dist_count(a) < JUDGE_ENOUGH || dist_count(b) < JUDGE_ENOUGH)
		return;
	c->rank = stats_rank_test(dist_samples(a), dist_count(a), dist_samples(b), dist_count(b));
	c->finding[0] = (struct finding){ .made = true,
		.p = c->rank.p,
		.direction = (c->rank.b_smaller < 0.5) - (c->rank.b_smaller > 0.5) };
	c->finding[1] = test_tail(a, b);
	for (int i = 0; i < 2; i++) {
		struct scoring s = { a, b, i, pooled_percentile(a, b) };

		c->finding[i].p = fmax(c->finding[i].p, test_noise(sides, room, metric, &s));
	}
}

static void test_share(struct share *s, struct side sides[2], double *room, unsigned share)
{
	double of[2];

	*s = (struct share){ .name = share ? "missed" : "failed", .verdict = TOO_FEW };
	for (int i = 0; i < 2; i++)
		for (size_t f = 0; f < sides[i].count; f++) {
			const struct summary *file = &sides[i].files[f];

			s->count[i] += share ? file->missed : file->failed;
			s->of[i] += share ? file->started + file->missed : file->ok + file->failed;
		}
	if (s->of[0] == 0 || s->of[1] == 0)
		return;
	for (int i = 0; i < 2; i++)
		of[i] = (double)s->count[i] / (double)s->of[i];
	s->finding = (struct finding){ .made = true,
		.p = fmax(stats_share_test(s->count[0], s->of[0], s->count[1], s->of[1]),
		    test_share_noise(sides, room, share)),
		.direction = (of[1] > of[0]) - (of[1] < of[0]) };
}

/* ---- the family ---- */

static int by_p(const void *a, const void *b)
{
	double x = (*(struct finding *const *)a)->p, y = (*(struct finding *const *)b)->p;

	return (x > y) - (x < y);
}

/* Holm's: the smallest p counts as often as there are tests, the next once less, and none less than one
   before it. */
static void correct(struct comparison *c)
{
	struct finding *all[2 * METRIC_COUNT + SHARES];
	size_t count = 0;
	double before = 0;

	for (int i = 0; i < SHARES; i++)
		if (c->share[i].finding.made)
			all[count++] = &c->share[i].finding;
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		for (int k = 0; k < 2; k++)
			if (i != METRIC_HELD && c->change[i].finding[k].made)
				all[count++] = &c->change[i].finding[k];
	qsort(all, count, sizeof(struct finding *), by_p);
	for (size_t i = 0; i < count; i++)
		before = all[i]->family = fmin(1, fmax(before, all[i]->p * (double)(count - i)));
}

static int sign(const struct finding *f)
{
	return f->made && f->family < JUDGE_LEVEL ? f->direction : 0;
}

static enum verdict verdict_of(int signs)
{
	return signs == 0 ? SAME : signs < 0 ? BETTER : WORSE;
}

static void judge_metric(struct change *c)
{
	int middle = sign(&c->finding[0]), tail = sign(&c->finding[1]);

	if (!c->finding[0].made)
		return; /* too few */
	c->verdict = middle * tail < 0 ? MIXED : verdict_of(middle + tail);
	c->where = middle == tail ? "" : !tail ? " in p50" : !middle ? " in p95" : "";
}

/* That one test looks at. */
static size_t most_figures(const struct side sides[2])
{
	size_t most = sides[0].count + sides[1].count + 1, points = 0;

	for (int s = 0; s < 2; s++)
		for (size_t f = 0; f < sides[s].count; f++)
			points += sides[s].files[f].point_count;
	most = most > points ? most : points;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		size_t samples = dist_count(&sides[0].metric[i]) + dist_count(&sides[1].metric[i]);

		most = most > samples ? most : samples;
	}
	return most;
}

int judge(struct comparison *c, struct side sides[2])
{
	double *room = calloc(most_figures(sides), sizeof(*room));

	if (!room)
		return -1;
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		test_metric(&c->change[i], sides, room, i);
	for (unsigned i = 0; i < SHARES; i++)
		test_share(&c->share[i], sides, room, i);
	free(room);
	correct(c);
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		judge_metric(&c->change[i]);
	for (int i = 0; i < SHARES; i++)
		if (c->share[i].finding.made)
			c->share[i].verdict = verdict_of(sign(&c->share[i].finding));
	return 0;
}
