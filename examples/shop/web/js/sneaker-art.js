/** The picture of a drop: a field of colour, the drop's number, and its shoe. Decoration only, so it is hidden from readers. */

import { svg } from './dom.js';
import { colourwayOf, inkOn, shapeOf, teaserOf } from './colourway.js';
import { SILHOUETTES } from './silhouettes.js';

let drawn = 0;

/**
 * @param {import('./colourway.js').Colourway} colours
 * @param {import('./silhouettes.js').Silhouette} shape
 * @returns {SVGElement}
 */
function shoe(colours, shape) {
  // Clip paths are found by id, and a page holds many shoes.
  drawn += 1;
  const clipId = `upper-${drawn}`;
  const path = (/** @type {string} */ d, /** @type {string} */ fill) => svg('path', { d, fill });
  return svg('g', { class: 'shoe' },
    svg('clipPath', { id: clipId }, svg('path', { d: shape.upper })),
    svg('ellipse', { cx: '336', cy: '348', rx: '286', ry: '15', fill: '#000000', opacity: '0.2' }),
    path(shape.lining, colours.panel),
    path(shape.tongue, colours.upper),
    svg('path', { d: shape.tongue, fill: '#000000', opacity: '0.12' }),
    path(shape.upper, colours.upper),
    svg('g', { 'clip-path': `url(#${clipId})` },
      ...shape.panels.map((d) => path(d, colours.panel)),
      ...shape.marks.map((d) => path(d, colours.accent)),
      ...shape.seams.map((d) => svg('path', {
        d, fill: 'none', stroke: colours.accent, 'stroke-width': '2', 'stroke-dasharray': '5 5', 'stroke-linecap': 'round', opacity: '0.7',
      })),
      svg('path', { d: 'M60 250C220 300 440 292 620 240V320H60Z', fill: '#000000', opacity: '0.07' })),
    ...shape.laces.flatMap(([x1, y1, x2, y2]) => [
      svg('line', { x1, y1: y1 + 3, x2, y2: y2 + 3, stroke: '#000000', 'stroke-width': '11', 'stroke-linecap': 'round', opacity: '0.22' }),
      svg('line', { x1, y1, x2, y2, stroke: colours.lace, 'stroke-width': '10', 'stroke-linecap': 'round' }),
    ]),
    path(shape.midsole, colours.midsole),
    svg('path', { d: shape.midsole, fill: 'none', stroke: '#000000', 'stroke-width': '2', opacity: '0.12' }),
    path(shape.outsole, colours.outsole));
}

/**
 * @param {{id: number, name: string}} drop
 * @param {{teaser?: boolean, bare?: boolean}} [options] `teaser`: lights off; `bare`: the shoe alone
 * @returns {{element: SVGElement, field: string, ink: string}} the picture, its background and the text colour to use on it
 */
export function createSneakerArt(drop, { teaser = false, bare = false } = {}) {
  const colours = teaser ? teaserOf(colourwayOf(drop)) : colourwayOf(drop);
  const shape = SILHOUETTES[shapeOf(drop, SILHOUETTES.length)];
  const ink = inkOn(colours.field);
  const picture = svg('svg', {
    class: 'art', viewBox: bare ? '30 0 610 370' : '0 0 640 400', 'aria-hidden': 'true', focusable: 'false',
  });
  if (bare) {
    picture.append(shoe(colours, shape));
    return { element: picture, field: colours.field, ink };
  }
  const number = svg('text', {
    class: 'art-number', x: '618', y: '142', 'text-anchor': 'end', fill: 'none', stroke: ink, 'stroke-width': '2.5', opacity: teaser ? '0.35' : '0.55',
  }, String(drop.id).padStart(2, '0'));
  picture.append(
    // The backdrop reaches far beyond the canvas: a card taller than the picture shows more of it instead of zooming in.
    svg('rect', { x: '-640', y: '-800', width: '1920', height: '2000', fill: colours.field }),
    svg('path', { d: 'M-534 1200L751 -800H831L-454 1200Z', fill: ink, opacity: '0.06' }),
    svg('path', { d: 'M-424 1200L861 -800H885L-400 1200Z', fill: ink, opacity: '0.06' }),
    svg('rect', { x: '-640', y: '338', width: '1920', height: '862', fill: ink, opacity: '0.08' }),
    number,
    svg('g', { transform: 'translate(34 34) scale(0.9)' }, shoe(colours, shape)));
  return { element: picture, field: colours.field, ink };
}
