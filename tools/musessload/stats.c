/*
 * Statistics of `compare` (stats.h).
 *
 * The bootstrap draws from each set as many samples as it has, with replacement, takes the
 * percentile of the draw, and does so RESAMPLES times. Of a sorted set that needs no draw of all:
 * the percentile is the k-th smallest of n numbers drawn evenly from [0, n), which is n times a
 * number of the beta distribution (k, n - k + 1). So 100,000 sessions cost as much as ten.
 */
#include "stats.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	RESAMPLES = 4000,
	SERIES_ENOUGH = 8, /* figures, to tell anything of how they follow one another */
	BATCHES = 12,      /* means of several in a row: with fewer real differences are lost */
};

/* ---- the rank test ---- */

static double two_sided(double z)
{
	return erfc(fabs(z) / sqrt(2));
}

/* The index behind those of the sorted samples that are equal to VALUE, from AT on. */
static size_t skip_equal(const uint64_t *samples, size_t count, size_t at, uint64_t value)
{
	while (at < count && samples[at] == value)
		at++;
	return at;
}

struct rank_test stats_rank_test(
    const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count)
{
	double n = (double)a_count, m = (double)b_count, ties = 0, off, variance;
	struct rank_test test = { .p = 1 };
	size_t i = 0, j = 0;

	while (i < a_count || j < b_count) {
		uint64_t value = j == b_count || (i < a_count && a[i] < b[j]) ? a[i] : b[j];
		size_t a_end = skip_equal(a, a_count, i, value);
		size_t b_end = skip_equal(b, b_count, j, value);
		double same = (double)(a_end - i + b_end - j);

		test.u += (double)(a_end - i) * ((double)j + (double)(b_end - j) / 2);
		ties += same * same * same - same;
		i = a_end;
		j = b_end;
	}
	test.b_smaller = test.u / (n * m);
	variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)));
	off = fabs(test.u - n * m / 2) - 0.5;
	if (variance > 0 && off > 0)
		test.p = two_sided(off / sqrt(variance));
	return test;
}

/* ---- numbers drawn at random: always the same ones ---- */

static double uniform(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return ((double)(z >> 11) + 0.5) * 0x1p-53; /* neither 0 nor 1 */
}

static double normal(uint64_t *state)
{
	double radius = sqrt(-2 * log(uniform(state)));

	return radius * cos(2 * M_PI * uniform(state));
}

/* Of the gamma distribution with SHAPE >= 1: Marsaglia's and Tsang's method. */
static double gamma_number(uint64_t *state, double shape)
{
	double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

	for (;;) {
		double x = normal(state), v = 1 + c * x;

		if (v <= 0)
			continue;
		v = v * v * v;
		if (log(uniform(state)) < x * x / 2 + d - d * v + d * log(v))
			return d * v;
	}
}

/* The percentile of one draw. */
static double draw_percentile(
    uint64_t *state, const uint64_t *samples, size_t count, double percent)
{
	double n = (double)count, k = fmin(n, fmax(1, ceil(n * percent / 100 - 1e-6)));
	double x = gamma_number(state, k), y = gamma_number(state, n - k + 1);
	size_t i = (size_t)(n * x / (x + y));

	return (double)samples[i < count ? i : count - 1];
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct interval stats_percentile_difference(const uint64_t *a, size_t a_count, const uint64_t *b,
    size_t b_count, double percent, double confidence)
{
	double differences[RESAMPLES];
	uint64_t state = 5; /* any, but always the same */
	size_t tail = (size_t)((1 - confidence) / 2 * RESAMPLES);

	for (int i = 0; i < RESAMPLES; i++)
		differences[i] = draw_percentile(&state, b, b_count, percent) -
		                 draw_percentile(&state, a, a_count, percent);
	qsort(differences, RESAMPLES, sizeof(*differences), compare);
	return (struct interval){ differences[tail], differences[RESAMPLES - 1 - tail] };
}

/* ---- shares ---- */

/* The logarithm of how many ways there are to choose K of N. */
static double log_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

double stats_share_test(uint64_t a, uint64_t a_count, uint64_t b, uint64_t b_count)
{
	double n = (double)a_count, m = (double)b_count, p = 0;
	uint64_t hits = a + b, first = hits > b_count ? hits - b_count : 0;
	double all = log_choose(n + m, (double)hits);
	double observed = log_choose(n, (double)a) + log_choose(m, (double)b) - all;

	/* as likely as what was seen, or less; they differ by rounding where they are equal */
	for (uint64_t k = first; k <= hits && k <= a_count; k++) {
		double likely = log_choose(n, (double)k) + log_choose(m, (double)(hits - k)) - all;

		if (likely <= observed + 1e-7)
			p += exp(likely);
	}
	return fmin(p, 1);
}

/* ---- means ---- */

/* How likely Student's t with DEGREES of freedom is farther from 0 than T: one minus the finite sum that its integral
   is for a whole number of degrees (Abramowitz and Stegun, 26.7.3 and 26.7.4). */
static double student_beyond(double t, size_t degrees)
{
	double angle = atan(fabs(t) / sqrt((double)degrees)), square = cos(angle) * cos(angle);
	bool odd = degrees % 2;
	double term = odd ? cos(angle) : 1, sum = 0;

	for (size_t k = odd ? 3 : 2; k <= degrees; k += 2) {
		sum += term;
		term *= square * (double)(k - 1) / (double)k;
	}
	return fmax(0, 1 - (odd ? 2 / M_PI * (angle + sin(angle) * sum) : sin(angle) * sum));
}

static double mean(const double *set, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += set[i];
	return sum / (double)count;
}

static double squares(const double *set, size_t count, double around)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (set[i] - around) * (set[i] - around);
	return sum;
}

double stats_mean_test(const double *a, size_t a_count, const double *b, size_t b_count)
{
	double n = (double)a_count, m = (double)b_count, off = mean(b, b_count) - mean(a, a_count);
	double within =
	    squares(a, a_count, mean(a, a_count)) + squares(b, b_count, mean(b, b_count));
	double variance = within / (n + m - 2) * (1 / n + 1 / m);

	if (variance == 0)
		return off == 0 ? 1 : 0;
	return student_beyond(off / sqrt(variance), a_count + b_count - 2);
}

/* ---- series ---- */

/* The sum of the products of what follows one another. */
static double products(const double *set, size_t count, double around)
{
	double sum = 0;

	for (size_t i = 1; i < count; i++)
		sum += (set[i] - around) * (set[i - 1] - around);
	return sum;
}

/* Student's test of so many figures as the series are worth. */
static double test_worth(const double *a, size_t a_count, const double *b, size_t b_count)
{
	double n = (double)a_count, m = (double)b_count, each = (n + m) / 2, factor, variance, off;
	double mean_a = mean(a, a_count), mean_b = mean(b, b_count);
	double of_a = squares(a, a_count, mean_a), of_b = squares(b, b_count, mean_b);
	double alike = products(a, a_count, mean_a) + products(b, b_count, mean_b);

	off = mean_b - mean_a;
	if (of_a + of_b == 0)
		return off == 0 ? 1 : 0;
	/* the correlation of neighbours; what is found of it in N figures is too small by (1 + 4 r) / N */
	alike = (alike / (of_a + of_b) + 1 / each) / (1 - 4 / each);
	if (alike >= 1)
		return 1;
	factor = alike > 0 ? (1 - alike) / (1 + alike) : 1;
	n *= factor;
	m *= factor;
	if (n + m < 3)
		return 1;
	variance = (of_a + of_b) * factor / (n + m - 2) * (1 / n + 1 / m);
	return student_beyond(off / sqrt(variance), (size_t)(n + m) - 2);
}

/* Puts the mean of each two in their place. */
static size_t halve(double *set, size_t count)
{
	for (size_t i = 0; i < count / 2; i++)
		set[i] = (set[2 * i] + set[2 * i + 1]) / 2;
	return count / 2;
}

double stats_series_test(double *a, size_t a_count, double *b, size_t b_count)
{
	double p = 0;

	if (a_count < SERIES_ENOUGH || b_count < SERIES_ENOUGH)
		return 0;
	do {
		p = fmax(p, test_worth(a, a_count, b, b_count));
		a_count = halve(a, a_count);
		b_count = halve(b, b_count);
	} while (a_count >= BATCHES && b_count >= BATCHES);
	return p;
}
