//! Windows of origins, drawn by blocks.

use crate::random::Random;

/// How windows are drawn: whole blocks of neighbouring origins, put together (the moving-block bootstrap,
/// Künsch 1989, "The jackknife and the bootstrap for general stationary observations"). A block may begin at any
/// origin and goes on at the first after the last, so that every origin is drawn equally often and what holds
/// of all origins holds of the windows on average.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    /// Origins to draw from.
    pub(super) origins: usize,
    /// Origins of a block: a week of them, or as many as overlap if that is more.
    pub(super) block: usize,
}

impl Windows {
    /// The origins of a window, `length` of them.
    pub(super) fn draw(&self, length: usize, random: &mut Random) -> Vec<usize> {
        let mut window = Vec::with_capacity(length + self.block);
        while window.len() < length {
            let start = random.place(self.origins);
            window.extend((start..start + self.block).map(|origin| origin % self.origins));
        }
        window.truncate(length);
        window
    }

    /// How many clusters of neighbouring origins [`Windows::cluster`] makes.
    pub(super) fn clusters(&self) -> usize {
        self.origins.div_ceil(self.block)
    }

    /// Which cluster an origin belongs to: one block's worth of neighbours each.
    pub(super) fn cluster(&self, origin: usize) -> usize {
        origin / self.block
    }
}

/// Starts the random choices of one piece of work; pieces with other numbers have nothing to do with it.
pub(super) fn random_of(seed: u64, numbers: [usize; 2]) -> Random {
    numbers
        .into_iter()
        .fold(Random::new(seed), |mut random, number| Random::new(random.next() ^ number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_made_of_whole_blocks_of_neighbours() {
        let windows = Windows { origins: 50, block: 7 };
        let window = windows.draw(28, &mut random_of(1, [0, 0]));
        assert_eq!(window.len(), 28);
        for block in window.chunks(7) {
            assert!(block.windows(2).all(|pair| (pair[0] + 1) % 50 == pair[1]), "{window:?}");
        }
        assert_eq!(windows.draw(10, &mut random_of(1, [0, 0])), window[..10]);
    }

    #[test]
    fn every_origin_is_drawn_equally_often() {
        let windows = Windows { origins: 20, block: 7 };
        let mut drawn = [0; 20];
        let mut random = random_of(3, [0, 0]);
        for _ in 0..2000 {
            for origin in windows.draw(28, &mut random) {
                drawn[origin] += 1;
            }
        }
        assert!(drawn.iter().all(|count| (2500..3100).contains(count)), "{drawn:?}");
    }
}
