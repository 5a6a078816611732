/*
 * A queue that is fair to sources: each has its turn, and in its turn the one of its that has waited
 * longest. Pure; the nodes are the caller's, who keeps them until they are out. Sources wait in the
 * order in which they came, or had their last turn.
 */
#ifndef MUSESS_FAIR_H
#define MUSESS_FAIR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/queue.h>

struct fair_node {
	STAILQ_ENTRY(fair_node) next; /* of the same source, behind its first */
	TAILQ_ENTRY(fair_node) ring;  /* of the first of each source */
	STAILQ_HEAD(, fair_node) rest;
	struct in6_addr source;
	bool queued, first;
};

struct fair_queue {
	TAILQ_HEAD(fair_ring, fair_node) ring;
};

void fair_init(struct fair_queue *queue);

/* Puts NODE, which is in no queue, behind those of its SOURCE. */
void fair_push(struct fair_queue *queue, struct fair_node *node, const struct in6_addr *source);

/* Takes out the one whose turn it is; NULL where there is none. */
struct fair_node *fair_pop(struct fair_queue *queue);

/* Takes NODE out, where it is in. */
void fair_remove(struct fair_queue *queue, struct fair_node *node);

#endif
