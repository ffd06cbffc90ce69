//! The number of threads changes no bit of what is learned.

mod training;

use training::{RECIPES, train};

#[test]
fn weights_are_bit_identical_for_any_number_of_threads() {
    for recipe in &RECIPES {
        let one: Vec<u32> = train(recipe, 1).into_iter().map(f32::to_bits).collect();
        for threads in [2, 3, 7] {
            let many = train(recipe, threads);
            let differing =
                one.iter().zip(&many).filter(|&(&one, many)| one != many.to_bits()).count();
            assert_eq!(one.len(), many.len());
            assert_eq!(differing, 0, "{}: {threads} threads against 1", recipe.name);
        }
    }
}
