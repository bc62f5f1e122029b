// Scripts and symbols that terminals draw two columns wide: East Asian Wide and Fullwidth, and emoji presentation.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const NARROW_ONLY = /^[\u0020-\u007e\u00a0-\u02ff]*$/;
/** Made when it is needed: it takes longer than most commands take to load. */
let graphemes: Intl.Segmenter | undefined;

function clustersOf(text: string): Intl.Segments {
  graphemes ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return graphemes.segment(text);
}

function clusterWidth(cluster: string): number {
  if (/^[\p{Mark}\p{Cf}]+$/u.test(cluster)) return 0;
  return WIDE.test(cluster) || cluster.includes('\ufe0f') ? 2 : 1;
}

/** How many terminal columns `text` takes. It must be free of control characters (see `plainText`). */
export function displayWidth(text: string): number {
  if (NARROW_ONLY.test(text)) return text.length;
  let width = 0;
  for (const { segment } of clustersOf(text)) width += clusterWidth(segment);
  return width;
}

/** `text`, cut with an ellipsis so that it takes at most `columns` columns. */
export function truncateToWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns < 1) return '';
  let width = 0;
  let kept = '';
  for (const { segment } of clustersOf(text)) {
    width += clusterWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** `text`, followed by spaces up to `columns` columns. */
export function padToWidth(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
}
