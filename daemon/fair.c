/* The queue: a ring of the first node of each source, and behind each of those the source's others. A
   source is found by its first's bucket. */
#include "fair.h"

#include "networks.h"

#include <stddef.h>

void fair_init(struct fair_queue *queue)
{
	TAILQ_INIT(&queue->ring);
	for (unsigned i = 0; i < FAIR_BUCKETS; i++)
		LIST_INIT(&queue->buckets[i]);
	queue->count = 0;
}

/* The first node of SOURCE; NULL where it has none. */
static struct fair_node *first_of(const struct fair_queue *queue, const struct in6_addr *source)
{
	struct fair_node *node;

	LIST_FOREACH(node, &queue->buckets[network_hash(source) % FAIR_BUCKETS], bucket)
	if (IN6_ARE_ADDR_EQUAL(&node->source, source))
		return node;
	return NULL;
}

void fair_push(struct fair_queue *queue, struct fair_node *node, const struct in6_addr *source)
{
	struct fair_node *first = first_of(queue, source);

	node->source = *source;
	node->queued = true;
	node->first = !first;
	queue->count++;
	if (first) {
		first->count++;
		TAILQ_INSERT_TAIL(&first->rest, node, next);
		return;
	}
	node->count = 1;
	TAILQ_INIT(&node->rest);
	TAILQ_INSERT_TAIL(&queue->ring, node, ring);
	LIST_INSERT_HEAD(&queue->buckets[network_hash(source) % FAIR_BUCKETS], node, bucket);
}

/* Takes out NODE, a first. The next of the same source, which is returned, is first from then on, and in the
   ring in its place; NULL where there is none. */
static struct fair_node *remove_first(struct fair_queue *queue, struct fair_node *node)
{
	struct fair_node *next = TAILQ_FIRST(&node->rest);

	node->queued = false;
	queue->count--;
	if (next) {
		TAILQ_REMOVE(&node->rest, next, next);
		TAILQ_INIT(&next->rest);
		TAILQ_CONCAT(&next->rest, &node->rest, next);
		next->count = node->count - 1;
		next->first = true;
		TAILQ_INSERT_BEFORE(node, next, ring);
		LIST_INSERT_BEFORE(node, next, bucket);
	}
	TAILQ_REMOVE(&queue->ring, node, ring);
	LIST_REMOVE(node, bucket);
	return next;
}

struct fair_node *fair_first(const struct fair_queue *queue)
{
	return TAILQ_FIRST(&queue->ring);
}

struct fair_node *fair_next(struct fair_node *node)
{
	return TAILQ_NEXT(node, ring);
}

void fair_take(struct fair_queue *queue, struct fair_node *node)
{
	struct fair_node *next = remove_first(queue, node);

	if (!next)
		return;
	TAILQ_REMOVE(&queue->ring, next, ring);
	TAILQ_INSERT_TAIL(&queue->ring, next, ring);
}

struct fair_node *fair_pop(struct fair_queue *queue)
{
	struct fair_node *node = fair_first(queue);

	if (node)
		fair_take(queue, node);
	return node;
}

void fair_remove(struct fair_queue *queue, struct fair_node *node)
{
	struct fair_node *first;

	if (!node->queued)
		return;
	if (node->first) {
		remove_first(queue, node);
		return;
	}
	first = first_of(queue, &node->source);
	node->queued = false;
	queue->count--;
	first->count--;
	TAILQ_REMOVE(&first->rest, node, next);
}

bool fair_has_room(const struct fair_queue *queue, const struct in6_addr *source, unsigned most)
{
	const struct fair_node *first = first_of(queue, source);

	return queue->count < most && (first ? first->count : 0) < most - queue->count;
}

struct fair_node *fair_largest(const struct fair_queue *queue)
{
	struct fair_node *node, *largest = fair_first(queue);

	TAILQ_FOREACH(node, &queue->ring, ring)
	if (node->count > largest->count)
		largest = node;
	return largest;
}
