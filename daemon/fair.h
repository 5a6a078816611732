/*
 * A queue that is fair to sources: each has its turn, and in its turn the one of its that has waited
 * longest. Pure; the nodes are the caller's, who keeps them until they are out. Sources wait in the
 * order in which they came, or had their last turn. What a call costs does not grow with the nodes
 * that a source has.
 */
#ifndef MUSESS_FAIR_H
#define MUSESS_FAIR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/queue.h>

struct fair_node {
	TAILQ_ENTRY(fair_node) next;  /* of the same source, behind its first */
	TAILQ_ENTRY(fair_node) ring;  /* of the first of each source */
	LIST_ENTRY(fair_node) bucket; /* likewise */
	TAILQ_HEAD(fair_rest, fair_node) rest;
	unsigned count; /* of a first: how many its source has */
	struct in6_addr source;
	bool queued, first;
};

enum { FAIR_BUCKETS = 1024 };

struct fair_queue {
	TAILQ_HEAD(fair_ring, fair_node) ring;
	LIST_HEAD(fair_bucket, fair_node) buckets[FAIR_BUCKETS];
	unsigned count; /* nodes in it */
};

void fair_init(struct fair_queue *queue);

/* Puts NODE, which is in no queue, behind those of its SOURCE. */
void fair_push(struct fair_queue *queue, struct fair_node *node, const struct in6_addr *source);

/* The one whose turn it is, and after NODE, which is one of them, the one whose turn is next; NULL where
   there is none. */
struct fair_node *fair_first(const struct fair_queue *queue);
struct fair_node *fair_next(struct fair_node *node);

/* Takes NODE, one of these, out: its source has had its turn. */
void fair_take(struct fair_queue *queue, struct fair_node *node);

/* Takes out the one whose turn it is; NULL where there is none. */
struct fair_node *fair_pop(struct fair_queue *queue);

/* Takes NODE out, where it is in. */
void fair_remove(struct fair_queue *queue, struct fair_node *node);

/* Whether SOURCE may have one more, where there is room for MOST nodes: it has as many as are free at most. So
   one source gets half, two get a third each, and there is always room for another. */
bool fair_has_room(const struct fair_queue *queue, const struct in6_addr *source, unsigned most);

/* The one that has waited longest of the source that has most; NULL where there is none. */
struct fair_node *fair_largest(const struct fair_queue *queue);

#endif
