use super::{ConnectionId, Rooms};

#[test]
fn the_connections_of_a_user_are_those_that_say_so_now() {
    let mut rooms = Rooms::default();
    let of = |rooms: &Rooms, user: &str| rooms.of_user(user).map(|id| id.0).collect::<Vec<_>>();
    for (id, user) in [(3, "ada"), (1, "ada"), (2, "bob"), (1, "ada")] {
        rooms.identify(ConnectionId(id), user);
    }
    assert_eq!(
        (of(&rooms, "ada"), of(&rooms, "bob")),
        (vec![1, 3], vec![2])
    );
    // Somebody else from now on.
    rooms.identify(ConnectionId(1), "bob");
    assert_eq!(
        (of(&rooms, "ada"), of(&rooms, "bob")),
        (vec![3], vec![1, 2])
    );
    assert_eq!(rooms.user_of(ConnectionId(1)), Some("bob"));
    for id in [3, 2, 1, 1, 4] {
        rooms.forget_user(ConnectionId(id));
    }
    assert_eq!((of(&rooms, "ada"), of(&rooms, "bob")), (vec![], vec![]));
    assert!(
        rooms.users.is_empty() && rooms.of_users.is_empty(),
        "nothing is kept of them"
    );
}
