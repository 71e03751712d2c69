/** 2^32. */
const numbers = 4_294_967_296;

/**
 * A stream of numbers that a seed decides completely (splitmix32), so that a history of chaos can be told again.
 * Forks by name keep the streams apart: one more decision in one of them leaves the others as they were.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A stream of its own, decided by this one's state now and the name. */
  fork(name: string): Random {
    let state = this.#state;
    for (const character of name) state = mixed(state ^ (character.codePointAt(0) ?? 0));
    return new Random(state);
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x9e37_79b9) >>> 0;
    return mixed(this.#state) / numbers;
  }

  /** A whole number from `min` to `max`, both possible. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.integer(0, items.length - 1)] ?? items[0];
  }

  /** The same items in another order. */
  shuffle<Item>(items: readonly Item[]): Item[] {
    const keyed = items.map((item) => ({ item, key: this.next() }));
    return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item);
  }
}

function mixed(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x21f0_aaad);
  bits ^= bits >>> 15;
  bits = Math.imul(bits, 0x735a_2d97);
  return (bits ^ (bits >>> 15)) >>> 0;
}
