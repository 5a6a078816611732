/* The queue that is fair to sources: each has its turn, and nobody is lost. */
#include "../daemon/fair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct in6_addr source(uint8_t number)
{
	return (struct in6_addr){ .s6_addr = { [15] = number } };
}

static void push(struct fair_queue *q, struct fair_node *node, uint8_t number)
{
	struct in6_addr from = source(number);

	fair_push(q, node, &from);
	assert_true(node->queued);
}

/* The nodes come out in the order of NUMBERS, and then none. */
static void assert_order(struct fair_queue *q, struct fair_node *nodes, const char *numbers)
{
	for (; *numbers; numbers++) {
		struct fair_node *node = fair_pop(q);
		assert_ptr_equal(node, &nodes[*numbers - '0']);
		assert_false(node->queued);
	}
	assert_null(fair_pop(q));
}

/* 0 to 5 are of source 1, 6 and 7 of source 2, 8 of source 3, 9 of source 1. */
static void fill(struct fair_queue *q, struct fair_node *nodes)
{
	static const uint8_t of[] = { 1, 1, 1, 1, 1, 1, 2, 2, 3, 1 };

	memset(nodes, 0, 10 * sizeof(*nodes));
	fair_init(q);
	for (int i = 0; i < 10; i++)
		push(q, &nodes[i], of[i]);
}

static void test_turns(void **unused)
{
	struct fair_node nodes[10];
	struct fair_queue q;

	(void)unused;
	fill(&q, nodes);
	assert_order(&q, nodes, "0681723459");
	fill(&q, nodes);
	assert_ptr_equal(fair_pop(&q), &nodes[0]);
	push(&q, &nodes[0], 4); /* its turn is after those that wait already */
	assert_order(&q, nodes, "6810723459");
}

static void test_removed(void **unused)
{
	struct fair_node nodes[10];
	struct fair_queue q;

	(void)unused;
	fill(&q, nodes);
	fair_remove(&q, &nodes[0]); /* the first of its source: the next has its place */
	fair_remove(&q, &nodes[3]); /* one in the middle */
	fair_remove(&q, &nodes[9]); /* the last */
	fair_remove(&q, &nodes[8]); /* the only one */
	fair_remove(&q, &nodes[8]); /* it is out */
	push(&q, &nodes[9], 1);
	assert_order(&q, nodes, "1627459");
}

/* Whichever is taken out, and whenever: each comes out once. */
static void test_each_once(void **unused)
{
	struct fair_node nodes[10];
	struct fair_queue q;
	struct fair_node *node;

	(void)unused;
	for (unsigned mask = 0; mask < 1024; mask++)
		for (int before = 0; before < 4; before++) {
			unsigned seen = 0;
			fill(&q, nodes);
			for (int i = 0; i < before; i++)
				seen |= 1u << (fair_pop(&q) - nodes);
			for (int i = 0; i < 10; i++)
				if (mask >> i & 1)
					fair_remove(&q, &nodes[i]);
			while ((node = fair_pop(&q))) {
				assert_int_equal(seen >> (node - nodes) & 1, 0);
				assert_int_equal(mask >> (node - nodes) & 1, 0);
				seen |= 1u << (node - nodes);
			}
			assert_int_equal(seen | mask, 1023);
		}
}

/* Whoever is not the first to have a turn has it all the same. */
static void test_taken(void **unused)
{
	struct fair_node nodes[10], *second;
	struct fair_queue q;

	(void)unused;
	fill(&q, nodes);
	second = fair_next(fair_first(&q));
	assert_ptr_equal(second, &nodes[6]);
	fair_take(&q, second);
	assert_false(second->queued);
	assert_order(&q, nodes, "087123459");
}

/* A source may have as many as are left free. */
static void test_room(void **unused)
{
	struct in6_addr one = source(1), two = source(2), nine = source(9);
	struct fair_node nodes[10];
	struct fair_queue q;

	(void)unused;
	fill(&q, nodes); /* 7, 2 and 1 */
	assert_int_equal(q.count, 10);
	assert_false(fair_has_room(&q, &nine, 10));
	assert_true(fair_has_room(&q, &nine, 11));
	assert_false(fair_has_room(&q, &two, 12));
	assert_true(fair_has_room(&q, &two, 13));
	assert_false(fair_has_room(&q, &one, 17));
	assert_true(fair_has_room(&q, &one, 18));
	fair_remove(&q, &nodes[2]);
	fair_remove(&q, &nodes[0]);
	assert_true(fair_has_room(&q, &one, 14));
	assert_false(fair_has_room(&q, &one, 13));
	assert_false(fair_has_room(&q, &one, 0));
}

/* The oldest of the source that has most. */
static void test_largest(void **unused)
{
	struct fair_node nodes[10];
	struct fair_queue q;

	(void)unused;
	fill(&q, nodes);
	for (const char *n = "012345697"; *n; n++) {
		struct fair_node *largest = fair_largest(&q);
		assert_ptr_equal(largest, &nodes[*n - '0']);
		fair_remove(&q, largest);
	}
	assert_ptr_equal(fair_largest(&q), &nodes[8]);
	fair_remove(&q, &nodes[8]);
	assert_null(fair_largest(&q));
	assert_int_equal(q.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
