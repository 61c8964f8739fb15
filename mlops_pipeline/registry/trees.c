/* Walks the trees of one model; `tables.h` holds them, see trees_source.py.

   A value becomes its rank among the cuts of its feature once for each row, so that a node is eight
   bytes and all trees stay in the cache; LightGBM's own layout takes some forty. Eight walks advance
   in step: none waits for another's loads, and there is no branch to predict. Leaves lead to
   themselves. Answers are added in the order of the trees: LightGBM's sum, bit for bit. */

#include <math.h>
#include <stdint.h>
#include "tables.h"

const int features = FEATURES;

enum { LANES = 8, BLOCK = 64 };
enum { MISSING_IS_ZERO = 0, ZERO_IS_MISSING = 1, NAN_IS_MISSING = 2 };

static uint16_t rank_of(const double *first, int count, double x) {
  const double *at = first; /* the number of cuts below x: x <= cuts[k] exactly where it is <= k */
  while (count > 1) {
    int half = count / 2;
    at += at[half - 1] < x ? half : 0;
    count -= half;
  }
  return (uint16_t)(at - first) + (*at < x);
}

static void encode(const double *row, uint16_t *codes) {
  for (int s = 0; s < SLOTS; s++) {
    const struct slot *slot = &slots[s];
    double x = row[slot->feature];
    if (slot->categorical) { /* NaN and what no set can hold: the last code, which is in none */
      codes[s] = x > -1.0 && x < slot->count ? (uint16_t)(int)x : (uint16_t)slot->count;
      continue;
    }
    int missing = isnan(x) && slot->missing == NAN_IS_MISSING;
    if ((isnan(x) && !missing) || fabs(x) <= 1e-35f) x = 0.0; /* as LightGBM reads a matrix */
    if (slot->missing == ZERO_IS_MISSING && x == 0.0) missing = 1;
    if (missing)
      codes[s] = slot->left ? 0 : UINT16_MAX;
    else
      codes[s] = rank_of(cuts + slot->first, slot->count, x);
  }
}

static inline uint32_t next(const struct node *tree, uint32_t at, const uint16_t *codes) {
  struct node node = tree[at];
  uint32_t code = codes[node.slot];
  uint32_t above = code > node.key;
  uint32_t bit = node.set ? code : 0;
  uint32_t outside = ~(sets[(node.set ? node.key : 0) + (bit >> 5)] >> (bit & 31)) & 1;
  return node.child + (node.set ? outside : above);
}

static double probability(double sum) { return 1.0 / (1.0 + exp(-SIGMOID * sum)); }

double score(const double *row) {
  uint16_t codes[SLOTS];
  double leaf[GROUPS * LANES], sum = 0.0;
  encode(row, codes);
  for (int g = 0; g < GROUPS; g++) { /* eight trees of about one depth */
    const struct group *group = &groups[g];
    uint32_t at[LANES] = {0};
    for (int level = 0; level < group->levels; level++)
      for (int i = 0; i < LANES; i++) at[i] = next(nodes + group->roots[i], at[i], codes);
    for (int i = 0; i < LANES; i++) leaf[group->trees[i]] = values[group->roots[i] + at[i]];
  }
  for (int t = 0; t < TREES; t++) sum += leaf[t];
  return probability(sum);
}

void score_matrix(const double *rows, int64_t count, double *answers) {
  uint16_t codes[BLOCK][SLOTS];
  for (int64_t start = 0; start < count; start += BLOCK) {
    int size = count - start < BLOCK ? (int)(count - start) : BLOCK;
    double sums[BLOCK] = {0.0};
    for (int r = 0; r < BLOCK; r++) /* the last block is filled with its first row */
      encode(rows + (start + (r < size ? r : 0)) * FEATURES, codes[r]);
    for (int t = 0; t < TREES; t++) {
      const struct node *tree = nodes + roots[t];
      for (int r = 0; r < size; r += LANES) { /* eight rows in one tree */
        uint32_t at[LANES] = {0};
        for (int level = 0; level < depths[t]; level++)
          for (int i = 0; i < LANES; i++) at[i] = next(tree, at[i], codes[r + i]);
        for (int i = 0; i < LANES; i++) sums[r + i] += values[roots[t] + at[i]];
      }
    }
    for (int r = 0; r < size; r++) answers[start + r] = probability(sums[r]);
  }
}
