/* The queue: a ring of the first node of each source, and behind each of those the source's others. */
#include "fair.h"

#include <stddef.h>

void fair_init(struct fair_queue *queue)
{
	TAILQ_INIT(&queue->ring);
}

void fair_push(struct fair_queue *queue, struct fair_node *node, const struct in6_addr *source)
{
	struct fair_node *first;

	node->source = *source;
	node->queued = true;
	node->first = false;
	STAILQ_INIT(&node->rest);
	TAILQ_FOREACH(first, &queue->ring, ring)
	if (IN6_ARE_ADDR_EQUAL(&first->source, source)) {
		STAILQ_INSERT_TAIL(&first->rest, node, next);
		return;
	}
	node->first = true;
	TAILQ_INSERT_TAIL(&queue->ring, node, ring);
}

/* The next of the same source is its first now. NULL where there is none. */
static struct fair_node *successor(struct fair_node *node)
{
	struct fair_node *next = STAILQ_FIRST(&node->rest);

	if (!next)
		return NULL;
	STAILQ_REMOVE_HEAD(&node->rest, next);
	STAILQ_CONCAT(&next->rest, &node->rest);
	next->first = true;
	return next;
}

struct fair_node *fair_pop(struct fair_queue *queue)
{
	struct fair_node *node = TAILQ_FIRST(&queue->ring), *next;

	if (!node)
		return NULL;
	TAILQ_REMOVE(&queue->ring, node, ring);
	node->queued = false;
	next = successor(node);
	if (next)
		TAILQ_INSERT_TAIL(&queue->ring, next, ring);
	return node;
}

void fair_remove(struct fair_queue *queue, struct fair_node *node)
{
	struct fair_node *first, *next;

	if (!node->queued)
		return;
	node->queued = false;
	if (node->first) {
		next = successor(node);
		if (next)
			TAILQ_INSERT_BEFORE(node, next, ring);
		TAILQ_REMOVE(&queue->ring, node, ring);
		return;
	}
	TAILQ_FOREACH(first, &queue->ring, ring)
	if (IN6_ARE_ADDR_EQUAL(&first->source, &node->source)) {
		STAILQ_REMOVE(&first->rest, node, fair_node, next);
		return;
	}
}
