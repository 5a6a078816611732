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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
