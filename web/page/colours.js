// Which colour stands for which shard. Never says what is drawn with it.

/**
 * Readable on the dark ground and apart from each other, neighbours above all, with the common kinds of
 * colour blindness; the first eight follow Okabe and Ito, lifted where they were too dark.
 */
const PALETTE = [
  0x56b4e9, 0xe69f00, 0x2fbf95, 0xf0e442, 0xef6a4c, 0xcc79a7, 0x7d8cff, 0xc4c4c4,
  0x99c945, 0xb08050, 0x1fa8bd, 0xffb3c7, 0x9a6bd0, 0xdbe7b5, 0xc8566a, 0xb7e3ff,
];

/**
 * The shard's colour as 0xRRGGBB.
 * @param {number} shard
 * @returns {number}
 */
export function shardColour(shard) {
  const fixed = PALETTE[shard];
  return fixed ?? generatedColour(shard - PALETTE.length);
}

/**
 * The shard's colour for style sheets and canvases.
 * @param {number} shard
 * @param {number} [alpha]
 * @returns {string}
 */
export function shardStyle(shard, alpha = 1) {
  const rgb = shardColour(shard);
  return `rgba(${rgb >> 16}, ${(rgb >> 8) & 255}, ${rgb & 255}, ${alpha})`;
}

/**
 * Mixes two 0xRRGGBB colours.
 * @param {number} from
 * @param {number} to
 * @param {number} share of `to`, 0 to 1
 */
export function mixed(from, to, share) {
  let rgb = 0;
  for (const shift of [16, 8, 0]) {
    const a = (from >> shift) & 255;
    const b = (to >> shift) & 255;
    rgb |= Math.round(a + (b - a) * share) << shift;
  }
  return rgb;
}

/**
 * Past the palette the golden angle spreads the hues, and lightness takes turns.
 * @param {number} index
 */
function generatedColour(index) {
  const hue = (index * 137.508 + 20) % 360;
  const lightness = [0.62, 0.76, 0.54][index % 3] ?? 0.62;
  const reach = 0.6 * Math.min(lightness, 1 - lightness);
  const channel = (/** @type {number} */ offset) => {
    const k = (offset + hue / 30) % 12;
    return Math.round(255 * (lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return (channel(0) << 16) | (channel(8) << 8) | channel(4);
}
